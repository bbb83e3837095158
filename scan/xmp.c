#include "agent/lib/clock.h"

#include "scan/unicode.h"
#include "scan/xmp.h"

#define OUR_NAMESPACE "urn:uuid:3f0a8c52-7d0e-4c55-9d3b-5a7e0b9c6f21#"

#define DESCRIPTION "  <rdf:Description rdf:about=\"\"\n    "

/* Our properties; the words are what an archivist reads in another program. */
static const struct {
	const char *name, *category, *description;
} properties[] = {
	{ "JobId", "internal", "Identifier of the sealing job" },
	{ "SourceSHA256", "internal", "SHA-256 of the file as it was received" },
	{ "TextLayer", "internal", "Origin of the invisible text: machine-read, not corrected by a person" },
	{ "TextEngine", "internal", "Program, version and languages that read the text" },
};

/* XML 1.0 has no place for controls and non-characters; they are left out. */
static void
put_escaped(struct buf *b, const char *text)
{
	const char *s = text, *from = text;
	uint32_t c;

	for (; unicode_next(&s, &c); from = s) {
		if (c == '&')
			buf_printf(b, "&amp;");
		else if (c == '<')
			buf_printf(b, "&lt;");
		else if (c == '>')
			buf_printf(b, "&gt;");
		else if (c == UNICODE_REPLACEMENT)
			buf_printf(b, "\xEF\xBF\xBD"); /* also for bytes that are not UTF-8 */
		else if (unicode_shown(c))
			buf_put(b, from, (size_t)(s - from));
	}
}

static void
put_property(struct buf *b, const char *name, const char *value)
{
	buf_printf(b, "   <%s>", name);
	put_escaped(b, value);
	buf_printf(b, "</%s>\n", name);
}

/* A description of its own, before what it describes: some readers look for it just there. */
static void
put_schema(struct buf *b)
{
	buf_printf(b, DESCRIPTION "xmlns:pdfaExtension=\"http://www.aiim.org/pdfa/ns/extension/\"\n"
	    "    xmlns:pdfaSchema=\"http://www.aiim.org/pdfa/ns/schema#\"\n"
	    "    xmlns:pdfaProperty=\"http://www.aiim.org/pdfa/ns/property#\">\n"
	    "   <pdfaExtension:schemas><rdf:Bag><rdf:li rdf:parseType=\"Resource\">\n"
	    "    <pdfaSchema:schema>sealroom document</pdfaSchema:schema>\n"
	    "    <pdfaSchema:namespaceURI>" OUR_NAMESPACE "</pdfaSchema:namespaceURI>\n"
	    "    <pdfaSchema:prefix>sealroom</pdfaSchema:prefix>\n"
	    "    <pdfaSchema:property><rdf:Seq>\n");
	for (size_t i = 0; i < sizeof(properties) / sizeof(properties[0]); i++)
		buf_printf(b, "     <rdf:li rdf:parseType=\"Resource\"><pdfaProperty:name>%s</pdfaProperty:name>"
		    "<pdfaProperty:valueType>Text</pdfaProperty:valueType><pdfaProperty:category>%s</pdfaProperty:category>"
		    "<pdfaProperty:description>%s</pdfaProperty:description></rdf:li>\n",
		    properties[i].name, properties[i].category, properties[i].description);
	buf_printf(b, "    </rdf:Seq></pdfaSchema:property>\n   </rdf:li></rdf:Bag></pdfaExtension:schemas>\n"
	    "  </rdf:Description>\n");
}

void
xmp_put(struct buf *b, const struct xmp *x)
{
	char date[CLOCK_ISO_MAX], hex[HASH_HEX];

	clock_iso(x->created_us, date);
	hash_hex(x->source_hash, hex);
	buf_printf(b, "<?xpacket begin=\"\xEF\xBB\xBF\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>\n"
	    "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\">\n"
	    " <rdf:RDF xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">\n");
	put_schema(b);
	buf_printf(b, DESCRIPTION "xmlns:pdfaid=\"http://www.aiim.org/pdfa/ns/id/\"\n"
	    "    xmlns:dc=\"http://purl.org/dc/elements/1.1/\"\n"
	    "    xmlns:pdf=\"http://ns.adobe.com/pdf/1.3/\"\n"
	    "    xmlns:xmp=\"http://ns.adobe.com/xap/1.0/\"\n"
	    "    xmlns:sealroom=\"" OUR_NAMESPACE "\">\n");
	put_property(b, "pdfaid:part", x->pdfa == PDFA_1B ? "1" : "2");
	put_property(b, "pdfaid:conformance", x->pdfa == PDFA_1B ? "B" : "U");
	buf_printf(b, "   <dc:title><rdf:Alt><rdf:li xml:lang=\"x-default\">");
	put_escaped(b, x->title);
	buf_printf(b, "</rdf:li></rdf:Alt></dc:title>\n");
	put_property(b, "xmp:CreateDate", date);
	put_property(b, "pdf:Producer", x->producer);
	put_property(b, "sealroom:JobId", x->id);
	put_property(b, "sealroom:SourceSHA256", hex);
	put_property(b, "sealroom:TextLayer", "machine-read");
	if (x->engine[0] != '\0')
		put_property(b, "sealroom:TextEngine", x->engine);
	buf_printf(b, "  </rdf:Description>\n </rdf:RDF>\n</x:xmpmeta>\n<?xpacket end=\"r\"?>");
}
