#include <libintl.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent/lib/path.h"

#include "agent/messages.h"

#define DOMAIN "sealroom"
#define COLUMNS 76

#ifndef SEALROOM_LOCALE
#define SEALROOM_LOCALE "/usr/share/locale"
#endif

extern int _nl_msg_cat_cntr; /* gettext's own count of changes; its manual has us raise it after LANGUAGE */

/* --- the sentences ----------------------------------------------------------------------- */

struct sentences {
	enum err_code code;
	const char *what, *now;
	const char *bare; /* 'what' when no word is known; NULL: 'what' has none */
};

/* {word} is what was looked for. Read them aloud before you change them. */
static const struct sentences table[] = {
	{ ERR_DOC_EMPTY,
	  N_("The file is empty: it has a name, but nothing in it."),
	  N_("Please scan the document again. If it happens once more, ask whoever looks after the scanner whether "
	     "its memory or the network drive is full."), NULL },
	{ ERR_DOC_INCOMPLETE,
	  N_("The file breaks off before its end: the scanner or program that sent it did not finish."),
	  N_("Please scan the document again and wait until the scanner reports that it is done. Do not switch it "
	     "off or cancel the job before."), NULL },
	{ ERR_DOC_BAD,
	  N_("The file is damaged: its beginning looks right, but its content cannot be read."),
	  N_("Please scan the document again or ask the sender for a new copy. If another program still shows it, "
	     "save it from there as a new PDF and put that into the folder."), NULL },
	{ ERR_DOC_TYPE,
	  N_("This kind of file cannot be sealed. PDF, TIFF, JPEG, PNG, JPEG 2000 and WebP can; what counts is the "
	     "content, not the ending of the name."),
	  N_("Please scan the document as PDF or TIFF, or save it as one of these, and put that file into the "
	     "folder."), NULL },
	{ ERR_DOC_ENCRYPTED,
	  N_("The PDF is protected by a password or against changes. It can neither be read nor sealed like this."),
	  N_("Please put a version without protection into the folder. Whoever made the PDF can save it without a "
	     "password."), NULL },
	{ ERR_DOC_PIXELS,
	  N_("A page is too large: it has more picture elements than are accepted here."),
	  N_("Please scan it with a lower resolution; 300 dpi are enough for text. For plans and other large sheets "
	     "ask your administrator (setting scan.max_pixels)."), NULL },
	{ ERR_DOC_PAGES,
	  N_("The document has more pages than are accepted in one file."),
	  N_("Please divide it into several files and put these into the folder. If such long documents are usual "
	     "for you, ask your administrator to raise the limit (setting scan.max_pages)."), NULL },
	{ ERR_DOC_SIZE,
	  N_("The file is larger than is accepted here."),
	  N_("Please scan it with a lower resolution or divide it into several files. If such large files are usual "
	     "for you, ask your administrator to raise the limit (setting scan.max_bytes)."), NULL },
	{ ERR_DOC_RESOLUTION,
	  N_("The picture does not say how large it is on paper: its resolution (dpi) is missing or makes no sense. "
	     "Without it the seal cannot be put in its place to the millimetre."),
	  N_("Please set a resolution at the scanner, usually 300 dpi, and scan the document again."), NULL },
	{ ERR_DOC_CRASH,
	  N_("The program that reads documents broke off at this one, twice. Other documents are not affected."),
	  N_("Please scan the document again, or save it with another program. If that does not help, give your "
	     "administrator the job number below; the file is kept for examination."), NULL },
	{ ERR_DOC_TIMEOUT,
	  N_("Reading the document took longer than allowed, twice."),
	  N_("Please scan it again with a lower resolution, or divide it into several files. If that does not help, "
	     "give your administrator the job number below."), NULL },
	{ ERR_DOC_REFUSED,
	  N_("A person has looked at this document and decided that it will not be sealed."),
	  N_("If you need the seal all the same, please talk to whoever decides in your house; the job number is "
	     "below. A corrected document can be put into the folder at any time."), NULL },
	{ ERR_DOC_WITHDRAWN,
	  N_("The document was taken back before it got its seal."),
	  N_("Nothing was sealed. If you need the seal after all, put the document into the folder again."), NULL },
	{ ERR_OWNER,
	  N_("Whoever put this file here may not have documents sealed in this folder."),
	  N_("Please use the folder that is meant for you, or ask your administrator for the right (setting "
	     "allow). If the file came through a network drive, ask under whose name the drive stores files."), NULL },
	{ ERR_SENDER,
	  N_("In this folder it counts who sends a file, and this one does not show that: others could have written it or put it here."),
	  N_("Please copy or save it into the folder anew, under your own name; do not move back what was given back to you. If "
	     "that does not help, your administrator has to see to it that nobody else may write your files there (mode 0640; "
	     "setting allow)."), NULL },
	{ ERR_TICKET_MISSING,
	  N_("In this folder every document needs a ticket, and none came."),
	  N_("Please put the document into the folder again, together with its ticket: a file with the document's "
	     "whole name and \".ticket\" behind it."), NULL },
	{ ERR_TICKET_BAD,
	  N_("The document's ticket cannot be followed: something in it is wrong. Without it the document is not "
	     "sealed."),
	  N_("Please have the ticket corrected; the reason below names the place. Then put document and ticket "
	     "into the folder again."), NULL },
	{ ERR_TICKET_OTHER,
	  N_("The ticket belongs to another document: the checksum it names is not that of this file."),
	  N_("Please put the right document and its ticket into the folder. If the document was changed after the "
	     "ticket was written, have a new ticket made."), NULL },
	{ ERR_DOC_SYMBOLS,
	  N_("An image in this PDF is stored in a way in which one character can have been put in the place of another "
	     "that looks like it (JBIG2 with symbols). Such a copy is not sealed."),
	  N_("Please scan the paper again, with another kind of compression set in the scanner (CCITT G4, or JBIG2 "
	     "without symbols)."), NULL },
	{ ERR_DOC_XFA,
	  N_("This PDF is a form of a kind whose pages are not in the file (XFA). It can not be sealed."),
	  N_("Please open it in the program that it was made for, print it to a PDF, and put that into the folder."), NULL },
	{ ERR_TICKET_RIGHT,
	  N_("The ticket asks for a seal or a rule that this folder does not allow."),
	  N_("Please put the document into the folder that has this seal, or have the ticket corrected; the reason "
	     "below names what is allowed here."), NULL },
	{ ERR_TICKET_ALONE,
	  N_("This is a ticket, and its document is not in the folder."),
	  N_("Please put document and ticket into the folder together, the ticket first. If the document was taken "
	     "in before the ticket came, look for its result before you send it again."), NULL },
	{ ERR_TICKET_UNWANTED,
	  N_("Tickets are not accepted in this folder."),
	  N_("Please put the document into the folder without a ticket, or ask your administrator for a folder "
	     "that takes tickets (setting ticket)."), NULL },
	{ ERR_DECISION_NONE,
	  N_("This ticket decides about a document that does not wait for a decision: it is not the one that is held, or "
	     "somebody has decided already."),
	  N_("Please look for the document in this folder. If it still waits, decide about it once more."), NULL },
	{ ERR_DECISION_RIGHT,
	  N_("The owner of this ticket may not decide about this document."),
	  N_("Please have somebody decide who may; your administrator knows who that is (setting release)."), NULL },
	{ ERR_REFERENCE,
	  N_("The reference in the ticket belongs to another document already: job {word}."),
	  N_("Please give each document a reference of its own. If it is a corrected version, have a new reference "
	     "used."), N_("The reference in the ticket belongs to another document already.") },
	{ ERR_DUP_REFUSED,
	  N_("The very same file was taken in before: job {word}. It is not sealed twice here."),
	  N_("Please look for the result of that job. If a second seal is needed, ask your administrator (setting "
	     "duplicates)."), N_("The very same file was taken in before. It is not sealed twice here.") },
	{ ERR_DUPLICATE,
	  N_("The very same file was taken in before: job {word}. A person decides whether it is sealed once more."),
	  N_("Please look for the result of that job. If the document is to be sealed a second time, tell your "
	     "administrator."), N_("The very same file was taken in before. A person decides whether it is sealed once more.") },
	{ ERR_TICKET_HOLD,
	  N_("The ticket wants a person to look at this document first."),
	  N_("Please look at the document and tell your administrator whether it is to be sealed."), NULL },
	{ ERR_DOC_SIGNED,
	  N_("This PDF already carries an electronic signature. Here a person looks at signed PDFs before they are sealed."),
	  N_("Please look at the document and its signature and tell your administrator whether it is to be sealed. If "
	     "the signature it has is enough, nothing is left to do: use the original beside this note."), NULL },
	{ ERR_DOC_LOCKED,
	  N_("The signature that this PDF carries does not allow the seal that is wanted here: it would no longer be valid, "
	     "so nothing was added."),
	  N_("If the signature it has is enough, nothing is left to do: use the original beside this note. If your "
	     "seal is needed as well, put an unsigned version or a scan of the paper into the folder."), NULL },
	{ ERR_DOC_SIG_BROKEN,
	  N_("This PDF carries an electronic signature that is not valid: the document was changed after it was signed, or "
	     "the signature is damaged."),
	  N_("Please ask the sender for a copy with a valid signature. If it is to be sealed as it is, tell your "
	     "administrator; the record then says that its signature was broken."), NULL },
	{ ERR_DOC_CHANGED,
	  N_("This PDF was signed, and something was added to it afterwards that no signature covers."),
	  N_("Please ask the sender what was added, or for a copy as it was signed. If it is to be sealed as it is, tell "
	     "your administrator; the record then says what the signature covers."), NULL },
	{ ERR_DOC_FOREIGN,
	  N_("This PDF is built in a way that is not understood here well enough to seal it."),
	  N_("Please have it written anew by another program, as PDF/A if possible, or print and scan it, and put that "
	     "into the folder."), NULL },
	{ ERR_DOC_ACTIVE,
	  N_("This PDF does something by itself: it runs a script, plays a recording, or leaves it to each program "
	     "what its pages show. What others will see when they open it is not certain, so it is not sealed."),
	  N_("Please have it saved again without scripts and as a finished document, as PDF/A if possible, and put that "
	     "into the folder."), NULL },
	{ ERR_FONT,
	  N_("This PDF does not bring along a font that it needs, and this system does not have it either."),
	  N_("Please have it saved again with its fonts embedded, as PDF/A if possible, and put that into the folder. "
	     "Or have your administrator install the font that the reason below names."), NULL },
	{ ERR_DOC_BLANK,
	  N_("All pages of this document are blank."),
	  N_("Please look whether the paper lay the wrong side up and scan it again. If it is meant to be blank, your "
	     "administrator can have it sealed as it is."), NULL },
	{ ERR_DOC_QUALITY,
	  N_("A page is not as well scanned as is wanted here: {word}."),
	  N_("Please scan the document again: straight, with the resolution that is wanted, usually 300 dpi. If there "
	     "is nothing better, your administrator can have it sealed as it is."),
	  N_("A page is not as well scanned as is wanted here.") },
	{ ERR_RULE_NONE,
	  N_("None of the rules for this folder fits this document, so it is not certain which seal it is to get, "
	     "and where."),
	  N_("Please check that the document is in the right folder and that the first page is complete, upright and "
	     "readable. Then scan it again, or have your administrator choose a rule for it."), NULL },
	{ ERR_RULE_HOLD,
	  N_("A rule for this folder wants a person to look at documents like this one first."),
	  N_("Please look at the document and tell your administrator whether it is to be sealed."), NULL },
	{ ERR_ANCHOR_NONE,
	  N_("The place for the seal was not found: \"{word}\" does not stand on the pages where it was looked for."),
	  N_("Please look at the picture beside this note. If the words are there but faint or crooked, scan the page "
	     "again. If they are missing, your administrator can choose the place by hand."),
	  N_("The place for the seal was not found: the words that mark it are not on the page.") },
	{ ERR_ANCHOR_MANY,
	  N_("The place for the seal is not certain: \"{word}\" was found more than once."),
	  N_("The picture beside this note shows the places with a frame. Please tell your administrator which one is "
	     "right; the seal is then put there."),
	  N_("The place for the seal is not certain: the words that mark it were found more than once.") },
	{ ERR_ANCHOR_PLACE,
	  N_("The seal does not fit where it belongs: it would reach over the edge of the page."),
	  N_("Please look at the picture beside this note. If the page was scanned too small or shifted, scan it "
	     "again. Otherwise your administrator can choose another place."), NULL },
	{ ERR_PLACE_INK,
	  N_("There is no free place for the seal: where it belongs, and near by, something is written, printed or drawn."),
	  N_("Please look at the picture beside this note. If dirt or a shadow came in with the scan, scan the page "
	     "again. Otherwise your administrator can choose another place."), NULL },
	{ ERR_STAMP,
	  N_("The seal's text cannot be drawn: it holds a character that its font does not have."),
	  N_("Please show this note to your administrator; the reason below names the character."), NULL },
	{ ERR_FIND_NONE,
	  N_("Something that this document must contain was not found: \"{word}\"."),
	  N_("Please check whether it stands on the page and can be read. If so, scan the document again; if not, ask "
	     "your administrator how to go on."),
	  N_("Something that this document must contain, such as a number, was not found.") },
	{ ERR_FIND_MANY,
	  N_("It is not certain which value counts for \"{word}\": barcodes in this document say different things."),
	  N_("The picture beside this note shows them with a frame. Please look whether pages of another document got in "
	     "between, and scan the document again; otherwise ask your administrator how to go on."),
	  N_("It is not certain which value counts: barcodes in this document say different things.") },
	{ ERR_FIELD,
	  N_("The seal belongs into the signature field \"{word}\" of this PDF, and that cannot be filled."),
	  N_("Please look whether this is the right form, and not signed or filled in already; the reason below says what is "
	     "wrong with the field. Otherwise your administrator can choose another place."),
	  N_("The seal belongs into a signature field of this PDF, and that cannot be filled.") },
	{ ERR_DOC_STACK,
	  N_("This stack holds {word} documents, with separator sheets between them. They are not sealed as one."),
	  N_("Please scan the documents one by one, or have the scanner divide the stack at its separator sheets. If it "
	     "is meant to be one document, your administrator can have it sealed as it is."),
	  N_("This stack holds several documents, with separator sheets between them. They are not sealed as one.") },
	{ ERR_STACK_KEPT,
	  N_("This PDF holds {word} documents, with separator sheets between them. It was not scanned as images alone, or is "
	     "signed, so it is not divided."),
	  N_("Please put the documents into the folder one by one. If it is meant to be one document, your administrator can "
	     "have it sealed as it is."),
	  N_("This PDF holds several documents, with separator sheets between them. It was not scanned as images alone, or is "
	     "signed, so it is not divided.") },
	{ ERR_STACK_TICKET,
	  N_("This stack holds {word} documents, with separator sheets between them. It came with a ticket, and a ticket is "
	     "about one document."),
	  N_("Please send the documents one by one, each with its ticket, or the stack without any. If it is meant to be one "
	     "document, your administrator can have it sealed as it is."),
	  N_("This stack holds several documents, with separator sheets between them. It came with a ticket, and a ticket is "
	     "about one document.") },
};

static const struct sentences otherwise = {
	ERR_OK,
	N_("The document could not be worked on. The fault lies with the sealing system, not with your document."),
	N_("You need not do anything. Please tell your administrator the job number below."), NULL,
};

/* --- languages --------------------------------------------------------------------------- */

static void
catalogues(char *dst, size_t size)
{
	const char *set = getenv("SEALROOM_LOCALE");
	static const char *const beside[] = { "locale", "../share/locale" }; /* in a build; below any PREFIX */
	char self[PATH_MAX];
	ssize_t n;

	if (set != NULL) {
		snprintf(dst, size, "%s", set);
		return;
	}
	if ((n = readlink("/proc/self/exe", self, sizeof(self) - 1)) > 0) {
		self[n] = '\0';
		*strrchr(self, '/') = '\0';
		for (size_t i = 0; i < 2; i++)
			if ((size_t)snprintf(dst, size, "%s/%s", self, beside[i]) < size && access(dst, X_OK) == 0)
				return;
	}
	snprintf(dst, size, "%s", SEALROOM_LOCALE);
}

void
message_open(const char *dir)
{
	char found[PATH_MAX];

	if (dir == NULL) {
		catalogues(found, sizeof(found));
		dir = found;
	}
	setlocale(LC_CTYPE, "C.UTF-8");
	bindtextdomain(DOMAIN, dir);
	bind_textdomain_codeset(DOMAIN, "UTF-8");
}

/*
 * In the locale "C" gettext translates nothing, and there we stay: else
 * strerror() would put the folder's language, or that of whoever started us,
 * into logs and errors.
 */
const char *
message_get(const char *language, const char *english)
{
	const char *r;

	setlocale(LC_MESSAGES, "C.UTF-8");
	setenv("LANGUAGE", language, 1);
	_nl_msg_cat_cntr++;
	r = dgettext(DOMAIN, english);
	setlocale(LC_MESSAGES, "C");
	return r;
}

/* --- putting in what a sentence leaves open ---------------------------------------------- */

struct hole {
	const char *name, *value;
};

/* "{name}" becomes its value; never printf: a translation is data. Cut at a whole character. */
static void
fill(const char *text, const struct hole *holes, char *dst, size_t size)
{
	size_t n = 0, len;

	while (*text != '\0') {
		const char *from = text, *end;
		const struct hole *h = NULL;

		if (*text == '{' && (end = strchr(text, '}')) != NULL)
			for (h = holes; h->name != NULL; h++)
				if (strlen(h->name) == (size_t)(end - text - 1) &&
				    strncmp(h->name, text + 1, strlen(h->name)) == 0)
					break;
		if (h != NULL && h->name != NULL) {
			from = h->value;
			len = strlen(from);
			text = strchr(text, '}') + 1;
		} else {
			utf8_next(&text, text + strlen(text));
			len = (size_t)(text - from);
		}
		if (len >= size - n)
			break;
		memcpy(dst + n, from, len);
		n += len;
	}
	dst[n] = '\0';
}

static const struct sentences *
sentences_for(enum err_code code)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
		if (table[i].code == code)
			return &table[i];
	return &otherwise;
}

void
message_make(const char *language, const struct err *why, const char *word, struct message *ret)
{
	const struct sentences *s = sentences_for(why->code);
	char shown[512], page[16];
	const struct hole holes[] = { { "word", shown }, { "page", page }, { NULL, NULL } };
	const char *what = s->what;

	path_display(word != NULL ? word : "", shown, sizeof(shown));
	snprintf(page, sizeof(page), "%u", why->page);
	if (shown[0] == '\0' && s->bare != NULL)
		what = s->bare;
	fill(message_get(language, what), holes, ret->what, sizeof(ret->what));
	fill(message_get(language, s->now), holes, ret->now, sizeof(ret->now));
	ret->where[0] = '\0';
	if (why->page > 0)
		fill(message_get(language, N_("Page {page}")), holes, ret->where, sizeof(ret->where));
}

/* --- the note beside a document ---------------------------------------------------------- */

static size_t
columns(const char *s, const char *end)
{
	size_t n = 0;

	for (; s < end; n++)
		utf8_next(&s, end);
	return n;
}

/* A paragraph, indented by two, broken at blanks. */
static void
put_wrapped(struct buf *b, const char *text)
{
	size_t at = 0, len;

	while (*(text += strspn(text, " \r\n\t")) != '\0') {
		const char *end = text + strcspn(text, " \r\n\t");

		len = columns(text, end);
		if (at > 0 && at + 1 + len > COLUMNS) {
			buf_printf(b, "\r\n");
			at = 0;
		}
		buf_printf(b, "%s%.*s", at == 0 ? "  " : " ", (int)(end - text), text);
		at += len + (at == 0 ? 2 : 1);
		text = end;
	}
	buf_printf(b, "\r\n");
}

static void
put_section(struct buf *b, const char *title, const char *text)
{
	if (text == NULL || *text == '\0')
		return;
	buf_printf(b, "\r\n%s\r\n", title);
	put_wrapped(b, text);
}

static void
received(const char *language, int64_t us, char *dst, size_t size)
{
	char y[16], mo[8], d[8], t[16];
	const struct hole holes[] = { { "year", y }, { "month", mo }, { "day", d }, { "time", t }, { NULL, NULL } };
	time_t s = (time_t)(us / 1000000);
	struct tm tm = { 0 };

	localtime_r(&s, &tm);
	strftime(y, sizeof(y), "%Y", &tm);
	strftime(mo, sizeof(mo), "%m", &tm);
	strftime(d, sizeof(d), "%d", &tm);
	strftime(t, sizeof(t), "%H:%M", &tm);
	fill(message_get(language, N_("{year}-{month}-{day}, {time}")), holes, dst, size);
}

static void
put_details(struct buf *b, enum message_kind kind, const char *language, const struct claim *c,
    const struct err *why)
{
	char when[128], detail[3 * ERR_TEXT_MAX];

	path_display(why->text, detail, sizeof(detail)); /* a child's words, perhaps a hostile one's */
	received(language, c->received_us, when, sizeof(when));
	buf_printf(b, "\r\n%s\r\n", message_get(language, N_("For your administrator")));
	buf_printf(b, "  %s %s\r\n", message_get(language, N_("Job number:")), c->id);
	buf_printf(b, "  %s %s\r\n", message_get(language, N_("Received:")), when);
	buf_printf(b, "  %s %s%s%s\r\n", message_get(language, N_("Reason:")), err_word(why->code),
	    detail[0] != '\0' ? ": " : "", detail);
	if (kind == MESSAGE_HELD)
		buf_printf(b, "  %s sealroom release %s --rule NAME | --at PAGE,X,Y | --again | --reject TEXT\r\n",
		    message_get(language, N_("To go on:")), c->id);
}

int
message_file(struct buf *ret, enum message_kind kind, const char *language, const struct claim *c,
    const struct err *why, const char *word, const char *say, struct err *e)
{
	char name[3 * SPOOL_NAME_MAX], line[MESSAGE_MAX], remark[MESSAGE_MAX], title[4 * SPOOL_NAME_MAX];
	const struct hole holes[] = { { "name", name }, { NULL, NULL } };
	struct message m;

	path_display(c->name, name, sizeof(name));
	snprintf(line, sizeof(line), "%s", say != NULL ? say : "");
	for (char *p = line; *p; p++)
		if (*p == '\n' || *p == '\r' || *p == '\t')
			*p = ' ';
	path_display(line, remark, sizeof(remark));
	message_make(language, why, word, &m);
	fill(message_get(language, kind == MESSAGE_HELD ? N_("{name} waits for a decision and is not sealed yet.") :
	                                                  N_("{name} was not sealed.")),
	    holes, title, sizeof(title));
	buf_printf(ret, "%s\r\n", title);
	put_section(ret, message_get(language, N_("What happened")), m.what);
	put_section(ret, message_get(language, N_("Where")), m.where);
	put_section(ret, message_get(language, N_("Remark")), remark);
	put_section(ret, message_get(language, N_("What to do now")), m.now);
	put_section(ret, message_get(language, N_("Your document")),
	    message_get(language, N_("The original lies beside this note, exactly as it arrived. Nothing is lost.")));
	put_details(ret, kind, language, c, why);
	return buf_ok(ret) ? 0 : err_set(e, ERR_MEM, "note for %s", c->id);
}
