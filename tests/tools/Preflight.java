import java.io.File;
import java.util.ArrayList;
import java.util.List;

import org.apache.pdfbox.preflight.Format;
import org.apache.pdfbox.preflight.PreflightDocument;
import org.apache.pdfbox.preflight.ValidationResult;
import org.apache.pdfbox.preflight.exception.SyntaxValidationException;
import org.apache.pdfbox.preflight.parser.PreflightParser;

/**
 * Preflight FILE...: is each file PDF/A-1b?  One line a file, "ok FILE" or
 * "bad FILE CODE DETAILS" for each fault.  Exit 0: all are; 1: not all; 2: a file
 * could not be judged.
 */
public final class Preflight {
	private static List<String> faults(File file) throws Exception {
		List<String> found = new ArrayList<>();
		ValidationResult result;

		PreflightParser parser = new PreflightParser(file);
		try {
			parser.parse(Format.PDF_A1B);
			try (PreflightDocument document = parser.getPreflightDocument()) {
				document.validate();
				result = document.getResult();
			}
		} catch (SyntaxValidationException e) {
			result = e.getResult();
		}
		for (ValidationResult.ValidationError error : result.getErrorsList())
			if (!error.isWarning())
				found.add(error.getErrorCode() + " " + error.getDetails());
		if (found.isEmpty() && !result.isValid())
			found.add("0 not valid, no reason given");
		return found;
	}

	public static void main(String[] args) {
		int status = args.length == 0 ? 2 : 0;

		for (String name : args) {
			try {
				List<String> found = faults(new File(name));
				for (String fault : found)
					System.out.println("bad " + name + " " + fault.replace('\n', ' '));
				if (found.isEmpty())
					System.out.println("ok " + name);
				else
					status = Math.max(status, 1);
			} catch (Exception e) {
				System.out.println("bad " + name + " cannot be judged: " + e);
				status = 2;
			}
		}
		System.exit(status);
	}
}
