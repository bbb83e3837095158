import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.io.OutputStream;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.cert.Certificate;
import java.security.cert.X509Certificate;
import java.util.Arrays;
import java.util.Calendar;
import java.util.HashMap;
import java.util.Map;

import org.apache.pdfbox.cos.COSArray;
import org.apache.pdfbox.cos.COSDictionary;
import org.apache.pdfbox.cos.COSName;
import org.apache.pdfbox.cos.COSString;
import org.apache.pdfbox.pdmodel.PDDocument;
import org.apache.pdfbox.pdmodel.PDPage;
import org.apache.pdfbox.pdmodel.PDPageContentStream;
import org.apache.pdfbox.pdmodel.PDResources;
import org.apache.pdfbox.pdmodel.common.PDRectangle;
import org.apache.pdfbox.pdmodel.font.PDType1Font;
import org.apache.pdfbox.pdmodel.interactive.annotation.PDAnnotationWidget;
import org.apache.pdfbox.pdmodel.interactive.digitalsignature.PDSignature;
import org.apache.pdfbox.pdmodel.interactive.digitalsignature.SignatureInterface;
import org.apache.pdfbox.pdmodel.interactive.digitalsignature.SignatureOptions;
import org.apache.pdfbox.pdmodel.interactive.form.PDAcroForm;
import org.apache.pdfbox.pdmodel.interactive.form.PDSignatureField;
import org.apache.pdfbox.pdmodel.interactive.form.PDTextField;

import org.bouncycastle.asn1.ASN1EncodableVector;
import org.bouncycastle.asn1.DERSet;
import org.bouncycastle.asn1.cms.Attribute;
import org.bouncycastle.asn1.cms.AttributeTable;
import org.bouncycastle.asn1.ess.ESSCertIDv2;
import org.bouncycastle.asn1.ess.SigningCertificateV2;
import org.bouncycastle.asn1.pkcs.PKCSObjectIdentifiers;
import org.bouncycastle.cert.jcajce.JcaCertStore;
import org.bouncycastle.cms.CMSProcessableByteArray;
import org.bouncycastle.cms.CMSSignedData;
import org.bouncycastle.cms.CMSSignedDataGenerator;
import org.bouncycastle.cms.DefaultSignedAttributeTableGenerator;
import org.bouncycastle.cms.jcajce.JcaSignerInfoGeneratorBuilder;
import org.bouncycastle.operator.ContentSigner;
import org.bouncycastle.operator.jcajce.JcaContentSignerBuilder;
import org.bouncycastle.operator.jcajce.JcaDigestCalculatorProviderBuilder;

/**
 * Signer: signed PDFs as PDFBox and Bouncy Castle make them, for tests.  Reads lines
 *
 *	sign IN OUT KEY.p12 [p=1|2|3] [lock=all|include:A,B|exclude:A] [lockp=N] [field=NAME]
 *	     [box=x,y,w,h] [sub=adbe|cades] [form=ber|der] [digest=SHA-256|SHA-384|SHA-512]
 *	fields IN OUT [lock=...] [lockp=N]     a text field "Name" and an empty signature field "Approval"
 *
 * from its input and does them in turn; what signs writes an update and keeps the
 * bytes that were there.  p=N certifies; lock=... is a FieldMDP (ISO 32000-1, 12.8.2.4);
 * field=NAME signs an empty field that is there, with the lock that it has.
 */
public final class Signer {
	private static final char[] SECRET = "signer".toCharArray();

	private static Map<String, String> options(String[] words, int from) {
		Map<String, String> m = new HashMap<>();

		for (int i = from; i < words.length; i++) {
			String[] kv = words[i].split("=", 2);

			m.put(kv[0], kv.length > 1 ? kv[1] : "");
		}
		return m;
	}

	/* --- CMS ------------------------------------------------------------------------------ */

	private static AttributeTable attributes(X509Certificate cert) throws Exception {
		byte[] hash = MessageDigest.getInstance("SHA-256").digest(cert.getEncoded());
		ASN1EncodableVector v = new ASN1EncodableVector();

		v.add(new Attribute(PKCSObjectIdentifiers.id_aa_signingCertificateV2,
		    new DERSet(new SigningCertificateV2(new ESSCertIDv2[] { new ESSCertIDv2(hash) }))));
		return new AttributeTable(v);
	}

	private static byte[] cms(byte[] data, String p12, Map<String, String> o) throws Exception {
		KeyStore ks = KeyStore.getInstance("PKCS12");

		try (InputStream in = new FileInputStream(p12)) {
			ks.load(in, SECRET);
		}
		String alias = ks.aliases().nextElement(), digest = o.getOrDefault("digest", "SHA-256").replace("-", "");
		PrivateKey key = (PrivateKey) ks.getKey(alias, SECRET);
		Certificate[] chain = ks.getCertificateChain(alias);
		X509Certificate cert = (X509Certificate) chain[0];
		ContentSigner signer = new JcaContentSignerBuilder(digest + "with" + (key.getAlgorithm().equals("EC") ? "ECDSA" : "RSA")).build(key);
		JcaSignerInfoGeneratorBuilder b = new JcaSignerInfoGeneratorBuilder(new JcaDigestCalculatorProviderBuilder().build());
		CMSSignedDataGenerator g = new CMSSignedDataGenerator();

		if (o.getOrDefault("sub", "adbe").equals("cades"))
			b.setSignedAttributeGenerator(new DefaultSignedAttributeTableGenerator(attributes(cert)));
		g.addSignerInfoGenerator(b.build(signer, cert));
		g.addCertificates(new JcaCertStore(Arrays.asList(chain)));
		CMSSignedData s = g.generate(new CMSProcessableByteArray(data), false);
		return o.getOrDefault("form", "ber").equals("der") ? s.toASN1Structure().getEncoded("DER") : s.getEncoded();
	}

	/* --- what is locked -------------------------------------------------------------------- */

	private static void putLock(COSDictionary d, String lock) {
		String[] parts = lock.split(":", 2);
		String action = parts[0].substring(0, 1).toUpperCase() + parts[0].substring(1);

		d.setItem("Action", COSName.getPDFName(action));
		if (parts.length > 1) {
			COSArray fields = new COSArray();

			for (String name : parts[1].split(","))
				fields.add(new COSString(name));
			d.setItem("Fields", fields);
		}
	}

	private static COSDictionary reference(String method, COSDictionary params) {
		COSDictionary ref = new COSDictionary();

		ref.setName(COSName.TYPE, "SigRef");
		ref.setName("TransformMethod", method);
		ref.setItem("TransformParams", params);
		ref.setDirect(true);
		return ref;
	}

	private static COSDictionary params() {
		COSDictionary p = new COSDictionary();

		p.setName(COSName.TYPE, "TransformParams");
		p.setName("V", "1.2");
		p.setDirect(true);
		return p;
	}

	private static COSDictionary lockOf(Map<String, String> o) {
		COSDictionary lock = new COSDictionary();

		lock.setName(COSName.TYPE, "SigFieldLock");
		putLock(lock, o.get("lock"));
		if (o.containsKey("lockp"))
			lock.setInt("P", Integer.parseInt(o.get("lockp")));
		return lock;
	}

	/* --- the operations --------------------------------------------------------------------- */

	private static InputStream appearance(PDDocument doc, float[] b, String text) throws Exception {
		try (PDDocument t = new PDDocument()) {
			PDPage page = new PDPage(doc.getPage(0).getMediaBox());
			ByteArrayOutputStream out = new ByteArrayOutputStream();

			t.addPage(page);
			PDAcroForm form = new PDAcroForm(t);
			t.getDocumentCatalog().setAcroForm(form);
			PDSignatureField f = new PDSignatureField(form);
			form.getFields().add(f);
			PDAnnotationWidget w = f.getWidgets().get(0);
			w.setRectangle(new PDRectangle(b[0], b[1], b[2], b[3]));
			w.setPage(page);
			page.getAnnotations().add(w);
			org.apache.pdfbox.pdmodel.interactive.annotation.PDAppearanceDictionary ap =
			    new org.apache.pdfbox.pdmodel.interactive.annotation.PDAppearanceDictionary();
			org.apache.pdfbox.pdmodel.interactive.annotation.PDAppearanceStream s =
			    new org.apache.pdfbox.pdmodel.interactive.annotation.PDAppearanceStream(t);
			s.setBBox(new PDRectangle(b[2], b[3]));
			s.setResources(new PDResources());
			try (PDPageContentStream c = new PDPageContentStream(t, s)) {
				c.addRect(1, 1, b[2] - 2, b[3] - 2);
				c.stroke();
				c.beginText();
				c.setFont(PDType1Font.HELVETICA, 9);
				c.newLineAtOffset(5, b[3] / 2 - 3);
				c.showText(text);
				c.endText();
			}
			ap.setNormalAppearance(s);
			w.setAppearance(ap);
			t.save(out);
			return new ByteArrayInputStream(out.toByteArray());
		}
	}

	private static void sign(String in, String out, String p12, Map<String, String> o) throws Exception {
		try (PDDocument doc = PDDocument.load(new File(in)); OutputStream os = new FileOutputStream(out)) {
			PDSignature sig = new PDSignature();
			COSArray refs = new COSArray();
			SignatureOptions so = new SignatureOptions();

			sig.setFilter(PDSignature.FILTER_ADOBE_PPKLITE);
			sig.setSubFilter(o.getOrDefault("sub", "adbe").equals("cades") ? COSName.getPDFName("ETSI.CAdES.detached") :
			    PDSignature.SUBFILTER_ADBE_PKCS7_DETACHED);
			sig.setName("Signer");
			sig.setSignDate(Calendar.getInstance());
			if (o.containsKey("p")) {
				COSDictionary p = params(), perms = new COSDictionary();

				p.setInt("P", Integer.parseInt(o.get("p")));
				refs.add(reference("DocMDP", p));
				perms.setItem("DocMDP", sig);
				doc.getDocumentCatalog().getCOSObject().setItem("Perms", perms);
				doc.getDocumentCatalog().getCOSObject().setNeedToBeUpdated(true);
				perms.setNeedToBeUpdated(true);
			}
			if (o.containsKey("lock")) {
				COSDictionary p = params();

				putLock(p, o.get("lock"));
				refs.add(reference("FieldMDP", p));
			}
			refs.setDirect(true);
			if (refs.size() > 0)
				sig.getCOSObject().setItem("Reference", refs);
			so.setPreferredSignatureSize(16384);
			if (o.containsKey("field")) {
				PDSignatureField f = (PDSignatureField) doc.getDocumentCatalog().getAcroForm().getField(o.get("field"));
				COSDictionary lock = (COSDictionary) f.getCOSObject().getDictionaryObject("Lock");

				if (lock != null) {
					COSDictionary p = params();

					p.setItem("Action", lock.getDictionaryObject("Action"));
					if (lock.getDictionaryObject("Fields") != null)
						p.setItem("Fields", lock.getDictionaryObject("Fields"));
					refs.add(reference("FieldMDP", p));
					sig.getCOSObject().setItem("Reference", refs);
				}
				f.setValue(sig);
				f.getCOSObject().setNeedToBeUpdated(true);
			} else if (o.containsKey("box")) {
				String[] v = o.get("box").split(",");

				so.setVisualSignature(appearance(doc, new float[] { Float.parseFloat(v[0]), Float.parseFloat(v[1]),
				    Float.parseFloat(v[2]), Float.parseFloat(v[3]) }, "signed by a person"));
				so.setPage(0);
			}
			doc.addSignature(sig, (SignatureInterface) content -> {
				try {
					return cms(content.readAllBytes(), p12, o);
				} catch (Exception e) {
					throw new java.io.IOException(e);
				}
			}, so);
			doc.saveIncremental(os);
		}
	}

	private static void fields(String in, String out, Map<String, String> o) throws Exception {
		try (PDDocument doc = PDDocument.load(new File(in))) {
			PDPage page = doc.getPage(0);
			PDAcroForm form = new PDAcroForm(doc);
			PDResources res = new PDResources();

			doc.getDocumentCatalog().setAcroForm(form);
			res.put(COSName.getPDFName("Helv"), PDType1Font.HELVETICA);
			form.setDefaultResources(res);
			form.setDefaultAppearance("/Helv 10 Tf 0 g");
			form.setNeedAppearances(false);
			PDTextField text = new PDTextField(form);
			text.setPartialName("Name");
			PDAnnotationWidget w = text.getWidgets().get(0);
			w.setRectangle(new PDRectangle(72, 560, 200, 20));
			w.setPage(page);
			w.setPrinted(true);
			page.getAnnotations().add(w);
			form.getFields().add(text);
			text.setValue("Meier");
			PDSignatureField f = new PDSignatureField(form);
			f.setPartialName("Approval");
			w = f.getWidgets().get(0);
			w.setRectangle(new PDRectangle(72, 500, 200, 40));
			w.setPage(page);
			w.setPrinted(true);
			page.getAnnotations().add(w);
			form.getFields().add(f);
			if (o.containsKey("lock"))
				f.getCOSObject().setItem("Lock", lockOf(o));
			doc.save(out);
		}
	}

	public static void main(String[] args) throws Exception {
		BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));

		for (String line; (line = lines.readLine()) != null;) {
			String[] w = line.trim().split("\\s+");

			if (w[0].equals("sign"))
				sign(w[1], w[2], w[3], options(w, 4));
			else if (w[0].equals("fields"))
				fields(w[1], w[2], options(w, 3));
			else if (!w[0].isEmpty())
				throw new IllegalArgumentException(line);
		}
	}
}
