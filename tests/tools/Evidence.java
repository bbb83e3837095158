import java.io.ByteArrayInputStream;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.cert.CertPathBuilder;
import java.security.cert.CertStore;
import java.security.cert.CertificateFactory;
import java.security.cert.CollectionCertStoreParameters;
import java.security.cert.PKIXBuilderParameters;
import java.security.cert.TrustAnchor;
import java.security.cert.X509CertSelector;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.Collection;
import java.util.Date;
import java.util.List;
import java.util.Set;

import org.bouncycastle.asn1.tsp.ArchiveTimeStamp;
import org.bouncycastle.asn1.tsp.ArchiveTimeStampChain;
import org.bouncycastle.asn1.tsp.EvidenceRecord;
import org.bouncycastle.cert.X509CertificateHolder;
import org.bouncycastle.cms.jcajce.JcaSimpleSignerInfoVerifierBuilder;
import org.bouncycastle.operator.jcajce.JcaDigestCalculatorProviderBuilder;
import org.bouncycastle.tsp.TimeStampToken;
import org.bouncycastle.tsp.ers.ERSData;
import org.bouncycastle.tsp.ers.ERSDataGroup;
import org.bouncycastle.tsp.ers.ERSEvidenceRecord;
import org.bouncycastle.tsp.ers.ERSFileData;

/**
 * Evidence ROOT.pem RECORD FILE...: does Bouncy Castle find the files, as one group
 * of data objects, in this evidence record (RFC 4998)?  Its validate() looks at the
 * newest time stamp alone; so each one in the chain is checked here as well, by its
 * classes: signature, certificate, path to the root at its time, order of times.
 * Prints the number of time stamps.  Exit 0: yes; 1: no, and why; 2: could not judge.
 */
public final class Evidence {
	private static X509Certificate certificate(byte[] der) throws Exception {
		return (X509Certificate) CertificateFactory.getInstance("X.509").generateCertificate(new ByteArrayInputStream(der));
	}

	private static void path(TimeStampToken token, X509Certificate signer, X509Certificate root) throws Exception {
		List<X509Certificate> all = new ArrayList<>();
		X509CertSelector target = new X509CertSelector();

		for (X509CertificateHolder holder : token.getCertificates().getMatches(null))
			all.add(certificate(holder.getEncoded()));
		if (!all.contains(root))
			throw new Exception("the root is not in the token");
		target.setCertificate(signer);
		PKIXBuilderParameters p = new PKIXBuilderParameters(Set.of(new TrustAnchor(root, null)), target);
		p.addCertStore(CertStore.getInstance("Collection", new CollectionCertStoreParameters(all)));
		p.setRevocationEnabled(false);
		p.setDate(token.getTimeStampInfo().getGenTime());
		CertPathBuilder.getInstance("PKIX").build(p);
	}

	private static Date stamp(TimeStampToken token, X509Certificate root) throws Exception {
		Collection<X509CertificateHolder> signers = token.getCertificates().getMatches(token.getSID());
		X509CertificateHolder signer = signers.iterator().next();

		token.validate(new JcaSimpleSignerInfoVerifierBuilder().build(signer));
		path(token, certificate(signer.getEncoded()), root);
		return token.getTimeStampInfo().getGenTime();
	}

	private static int judge(X509Certificate root, byte[] record, List<ERSData> files) throws Exception {
		ERSEvidenceRecord er = new ERSEvidenceRecord(record, new JcaDigestCalculatorProviderBuilder().build());
		Date before = new Date(0);
		int n = 0;

		if (files.size() > 1)
			er.validatePresent(new ERSDataGroup(files), new Date());
		for (ERSData file : files)
			er.validatePresent(file, new Date());
		er.validate(new JcaSimpleSignerInfoVerifierBuilder().build(er.getSigningCertificate()));
		for (ArchiveTimeStampChain chain : EvidenceRecord.getInstance(record).getArchiveTimeStampSequence().getArchiveTimeStampChains())
			for (ArchiveTimeStamp at : chain.getArchiveTimestamps()) {
				Date time = stamp(new TimeStampToken(at.getTimeStamp()), root);

				if (time.before(before))
					throw new Exception("times go back");
				before = time;
				n++;
			}
		return n;
	}

	public static void main(String[] args) throws Exception {
		List<ERSData> files = new ArrayList<>();
		X509Certificate root;
		byte[] record;

		try {
			root = certificate(Files.readAllBytes(Path.of(args[0])));
			record = Files.readAllBytes(Path.of(args[1]));
			for (int i = 2; i < args.length; i++)
				files.add(new ERSFileData(new File(args[i])));
		} catch (Exception e) {
			System.err.println("evidence: " + e);
			System.exit(2);
			return;
		}
		try {
			System.out.println("good " + judge(root, record, files));
		} catch (Exception e) {
			System.out.println("bad " + e);
			System.exit(1);
		}
	}
}
