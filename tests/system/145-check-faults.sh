#!/bin/bash
# Every fault of a set-up that we could think of is found by `sealroom check`: named with file, line and remedy.
. "$(dirname "$0")/../lib.sh"
need python3 softhsm2-util openssl
need_program sealroom
room_new
LEVEL=B-B
tsa_start
OTHERS=$R/pki/other-root.pem
export BIN TOOLS R MODULE TOKEN TSA_URL OTHERS

# Certificates for the token's key that no seal should have.
certificate() { # NAME SUBJECT EXTENSIONS KEY
	openssl req -new -utf8 -key "$4" -subj "$2" -out "$W/$1.csr" 2>>"$W/openssl.err" &&
	    openssl x509 -req -in "$W/$1.csr" -CA "$R/pki/issuing.pem" -CAkey "$R/pki/issuing.key" -set_serial "0x$RANDOM" \
	        -days 300 -out "$R/$1.pem" -extfile <(printf '%b' "$3") 2>>"$W/openssl.err" || bail "certificate $1 can be made: $(cat "$W/openssl.err")"
}
sign='keyUsage=critical,digitalSignature,nonRepudiation\n'
p256=$R/pki/seal-p256.key
certificate server "/O=Server/CN=www" "${sign}extendedKeyUsage=serverAuth,clientAuth\n" "$p256"
certificate cacert "/O=CA/CN=CA" "keyUsage=critical,digitalSignature,keyCertSign\nbasicConstraints=critical,CA:TRUE\n" "$p256"
certificate nonr "/O=No/CN=encryption only" "keyUsage=critical,keyEncipherment\n" "$p256"
certificate noorg "/CN=Somebody" "$sign" "$p256"
certificate hindi "/O=सील/CN=Hindi" "$sign" "$p256"
openssl ecparam -name brainpoolP256r1 -genkey -noout -out "$W/brainpool.key"
certificate brainpool "/O=Pool/CN=brainpool" "$sign" "$W/brainpool.key"
openssl x509 -req -in "$W/server.csr" -CA "$R/pki/issuing.pem" -CAkey "$R/pki/issuing.key" -set_serial 77 -days 5 \
    -out "$R/soon.pem" -extfile <(printf '%b' "$sign") 2>>"$W/openssl.err"
# Roots of others: one that is over (openssl ca takes the dates), one that lost its middle, two in DER and with a key.
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/O=Gone/CN=old root" -keyout "$W/old.key" -out "$W/now.pem" 2>>"$W/openssl.err"
mkdir "$W/ca" && : >"$W/ca/index" && echo 01 >"$W/ca/serial"
printf '[ca]\ndefault_ca=d\n[d]\ndatabase=%s/ca/index\nserial=%s/ca/serial\nnew_certs_dir=%s/ca\ndefault_md=sha256\npolicy=p\n[p]\nO=supplied\nCN=supplied\n' \
    "$W" "$W" "$W" >"$W/ca.cnf"
openssl req -new -key "$W/old.key" -subj "/O=Gone/CN=old root" -out "$W/old.csr" 2>>"$W/openssl.err"
openssl ca -batch -config "$W/ca.cnf" -selfsign -keyfile "$W/old.key" -in "$W/old.csr" -startdate 20100101000000Z -enddate 20200101000000Z \
    -notext -out "$W/old.pem" 2>>"$W/openssl.err" || bail "a root that is over can be made: $(cat "$W/openssl.err")"
cat "$OTHERS" "$W/old.pem" >"$R/gone.pem"
sed '5d' "$OTHERS" | cat "$R/pki/root.pem" - >"$R/torn.pem"
cat "$OTHERS" "$W/old.key" >"$R/secret.pem"
openssl x509 -in "$OTHERS" -outform DER -out "$R/root.der"
python3 - "$R" <<'PY'
import os, struct, sys, zlib
def png(path, w, h, row):
    part = lambda kind, data: struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    raw = zlib.compress(b"".join(b"\0" + row(w * 3) for _ in range(h)), 1)
    open(path, "wb").write(b"\x89PNG\r\n\x1a\n" + part(b"IHDR", struct.pack(">IIBBBBB", w, h, 8, 2, 0, 0, 0)) + part(b"IDAT", raw) + part(b"IEND", b""))
png(sys.argv[1] + "/vast.png", 3000, 3000, bytes)
png(sys.argv[1] + "/heavy.png", 350, 300, os.urandom)
open(sys.argv[1] + "/bytes.png", "wb").write(os.urandom(3 << 20))
PY

cat >"$W/base.conf" <<CONF
language = "en";
folders :
{
  post :
  {
    path = "$R/in";
    rules = [ "bill", "rest" ];
    seals = [ "stamp" ];
    settle = "300ms";
    incomplete_max = "2s";
  };
};
scan : { languages = [ "eng" ]; };
rules :
{
  bill :
  {
    when = { any = [ "Invoice", "Bill" ];  typos = 1; };
    find = { number = { after = [ "Invoice No." ];  take = "[A-Z0-9-]+"; }; };
    place = { near = "Approved";  size = [ "62mm", "24mm" ];  otherwise = "corner"; };
    seal = "stamp";
    name = "{received:%Y-%m-%d}_{find.number}.pdf";
  };
  rest :
  {
    when = "always";
    place = { at = "bottom-right";  margin = [ "10mm", "10mm" ];  size = [ "62mm", "24mm" ]; };
    seal = "stamp";
  };
};
seals :
{
  stamp :
  {
    tokens = [ "soft" ];
    level = "B-B";
    look = {
      lines = [ "Sealed", "{org}", "{time:%d.%m.%Y %H:%M}", "{id}" ];
    };
  };
};
tokens :
{
  soft :
  {
    module = "$MODULE";
    label = "$TOKEN";
    key_label = "seal-p256";
    chain = "$R/pki/issuing.pem";
    pin = "file:$PIN_FILE";
  };
};
trust = "$R/pki/root.pem";
archive : { path = "$R/archive"; };
evidence : { origin = "test.example/room"; anchor = "$R/anchor"; key = "$R/state/evidence.key"; };
state = "$R/state";
control = "$R/control";
CONF

# name, edit, line, sentence, remedy, grade: see tests/tools/checkall.
sed 's/  *|  */\t/g' >"$W/table" <<'TABLE'
a misspelt key  |  s/settle = /setle = /  |  setle =  |  folders.post.setle: there is no such key  |  did you mean "settle"
a misspelt group  |  s/^trust = /thrust = /  |  thrust =  |  thrust: there is no such key  |  did you mean "trust"
a key of another group  |  s/level = "B-B";/level = "B-B"; settle = "1s";/  |  level =  |  seals.stamp.settle: there is no such key  |  see sealroom.conf\(5\)
an unquoted text  |  s/level = "B-B"/level = 5/  |  level =  |  seals.stamp.level: wants text  |  in quotes
a word that is none of the choices  |  s/level = "B-B"/level = "B-X"/  |  level =  |  "B-X"  |  write "B-B" or "B-T"
a time without unit  |  s/"300ms"/"10"/  |  settle =  |  settle: "10"  |  a time with its unit
a time beyond its bounds  |  s/"300ms"/"2h"/  |  settle =  |  settle: "2h"  |  from 20ms to 1h
a length without unit  |  s/near = "Approved";  size = \[ "62mm"/near = "Approved";  size = [ "62"/  |  near =  |  place.size  |  a length with its unit
one length where two are wanted  |  s/margin = \[ "10mm", "10mm" \]/margin = "10mm"/  |  margin =  |  place.margin  |  takes two lengths
a comma for a point  |  s/margin = \[ "10mm"/margin = [ "10,5mm"/  |  margin =  |  place.margin  |  a length with its unit and a point
a mode as a number  |  s/settle = "300ms";/settle = "300ms"; give = { mode = 0660; };/  |  settle =  |  give.mode: wants a mode  |  as "0660"
results that their owner can not read  |  s/settle = "300ms";/settle = "300ms"; give = { mode = "0060"; };/  |  settle =  |  give.mode  |  the owner must be able to read
a syntax error  |  s/^language = "en";/language = "en";\nmax_jobs == 3;/  |  max_jobs  |  syntax error  |  is a semicolon, a bracket or a quote missing  |  english
a key that stands twice  |  s/level = "B-B";/level = "B-B";\nlevel = "B-T";/  |  level = "B-T"  |  duplicate  |  is a semicolon  |  english
a file that is included  |  s/^language = "en";/language = "en";\n@include "more.conf"/  |  @include  |  not allowed  |  folders.d  |  english
a required key that is missing  |  /module = /d  |  soft :  |  tokens.soft.module: must be given  |  the PKCS#11 module
a required group that is missing  |  /^archive/d  |  -  |  archive.path: must be given  |  documents, log and records
no folder at all  |  :a;N;$!ba;s/folders :\n\{\n  post :\n  \{[^}]*\};\n\};/folders : {};/  |  folders :  |  folders: there is none  |  add one
a rule that is not there  |  s/rules = \[ "bill"/rules = [ "bil"/  |  rules = [  |  folders.post.rules: there is no "bil"  |  did you mean "bill"
a seal that is not there  |  s/seals = \[ "stamp"/seals = [ "stmp"/  |  seals = [  |  folders.post.seals: there is no "stmp"  |  did you mean "stamp"
a token that is not there  |  s/tokens = \[ "soft"/tokens = [ "sofd"/  |  tokens = [  |  seals.stamp.tokens: there is no "sofd"  |  did you mean "soft"
a time-stamping authority that is not there  |  s/level = "B-B";/level = "B-T"; tsa = "q";/  |  level =  |  seals.stamp.tsa: there is no "q"  |  add it there
an authority for evidence that is not there  |  s/^evidence : \{/evidence : { tsa = "q";/  |  evidence :  |  evidence.tsa: there is no "q"  |  add it there
a folder of a rule that is not there  |  s/typos = 1;/folder = [ "pst" ];/  |  when = { any  |  rules.bill.when.folder: there is no "pst"  |  did you mean "post"
a rule that stands twice  |  s/"bill", "rest"/"bill", "bill", "rest"/  |  rules = [  |  stands twice  |  take one out
a level that wants a time stamp, and nobody to give one  |  s/level = "B-B"/level = "B-T"/  |  stamp :  |  level B-T needs one  |  write level = "B-B"
a digit by \d  |  s/take = "\[A-Z0-9-\]\+"/take = "\\\\d+"/  |  find =  |  \\d" is not known  |  write \[0-9\]
an expression that is none  |  s/take = "\[A-Z0-9-\]\+"/take = "[A-Z"/  |  find =  |  take: "\[A-Z"  |  not a regular expression
a value that nothing is said of  |  s/take = "\[A-Z0-9-\]\+";//  |  find =  |  find.number.take: must be given  |  or type =
a phrase without letters  |  s/any = \[ "Invoice"/any = [ "..."/  |  when = { any  |  when.any: "..."  |  to look for
a rule without condition  |  /when = \{ any/d  |  bill :  |  rules.bill.when: must be given  |  or "always"
a rule that never comes to it  |  s/"bill", "rest"/"rest", "bill"/  |  rules = [  |  "bill" is never reached  |  put that one last  |  warning
a rule whose words an earlier one takes all  |  s/^rules :$/rules :\n{\n  early : { when = { any = [ "Bill", "Invoice", "Note" ]; typos = 1; }; hold = { en = "x"; }; };/ ;; :a;N;$!ba;s/hold = \{ en = "x"; \}; \};\n\{/hold = { en = "x"; }; };/ ;; s/"bill", "rest"/"early", "bill", "rest"/  |  rules = [ "early"  |  "bill" is never reached: "early" before it  |  let it come first  |  warning
a rule against its own words  |  s/typos = 1;/none = [ "Paid" ]; all = [ "Paid" ];/  |  when = { any  |  when.none: "Paid"  |  take it out of one  |  warning
a rule that no folder uses  |  s/rules = \[ "bill", "rest" \]/rules = [ "rest" ]/  |  bill :  |  no folder uses this rule  |  add it to the rules of one  |  warning
a condition on tickets where none are taken  |  s/typos = 1;/ticket = [ "kind=x" ];/  |  when = { any  |  no folder of this rule takes tickets  |  ticket = "optional"  |  warning
a condition on tickets that is no pair  |  s/typos = 1;/ticket = [ "kind" ];/  |  when = { any  |  when.ticket: "kind"  |  write "field=value"
a place and a corner  |  s/near = "Approved";/near = "Approved"; at = "top-left";/  |  near =  |  near, barcode, field and at exclude each other  |  leave one of them
no place  |  s/near = "Approved";//  |  otherwise = "corner"  |  near, barcode, field or at must be given  |  or place = "invisible"
a seal over the words  |  s/near = "Approved";/near = "Approved"; side = "over";/  |  near =  |  there is writing  |  ink = "ignore"
a seal larger than the page  |  s/margin = .*/size = [ "290mm", "290mm" ]; };/  |  "290mm"  |  place.size: a seal is at least  |  fits on A4
a seal like a dot  |  s/near = "Approved";  size = \[ "62mm"/near = "Approved"; size = [ "4mm"/  |  near =  |  place.size  |  at least 5mm
a seal moved over the edge  |  s/margin = /shift = [ "12mm", "0mm" ]; margin = /  |  margin =  |  over the edge of the page  |  the first is to the right  |  warning
a page that no such document has  |  s/typos = 1;/count = "1";/ ;; s/near = "Approved";/near = "Approved"; pages = "2-3";/  |  near =  |  has no such page  |  write "last"  |  warning
a rule that seals and holds  |  s/^    name = .*/&\n    hold = { en = "x"; };/  |  hold =  |  seal and hold exclude each other  |  take one out
a result that leaves the folder  |  s#name = "#name = "../#  |  name = "  |  a name has no "/"  |  write "-"
a result that is no PDF  |  s/_\{find.number\}.pdf/_{find.number}/  |  name = "  |  rules.bill.name  |  must end in .pdf
results of one name for all  |  s/_\{find.number\}.pdf/.pdf/  |  name = "  |  many documents would have this name  |  add \{name\}, \{id\} or a find  |  warning
a name that Windows does not know  |  s/name = "\{received:%Y-%m-%d\}/name = "{received:%H:%M}/  |  name = "  |  no file name on Windows  |  write "-"  |  warning
a misspelt variable  |  s/\{received:/{recieved:/  |  name = "  |  no variable \{recieved\}  |  did you mean \{received\}
a value that the rule does not find  |  s/find.number/find.nummer/  |  name = "  |  has no find "nummer"  |  add it there
a month by its name  |  s/%Y-%m-%d\}_/%B}_/  |  name = "  |  \{received:...\}  |  or the signs
a variable that is not closed  |  s/find.number\}.pdf/find.number.pdf/  |  name = "  |  rules.bill.name  |  is written \{name\}
a misspelt variable in the stamp  |  s/"\{org\}"/"{orga}"/  |  lines =  |  no variable \{orga\}  |  did you mean \{org\}
a value in the stamp that not every rule has  |  s/"\{org\}"/"{find.number}"/  |  lines =  |  rule rest has no find "number"  |  add it there
a seal that the folder does not allow  |  s/^seals :$/seals :\n{\n  other : { tokens = [ "soft" ]; level = "B-B"; };/ ;; :a;N;$!ba;s/level = "B-B"; \};\n\{/level = "B-B"; };/ ;; s/seals = \[ "stamp" \]/seals = [ "other" ]/  |  seals = [ "other"  |  uses seal "stamp", which is not in this list  |  add it
a seal that nothing uses  |  s/^seals :$/seals :\n{\n  other : { tokens = [ "soft" ]; level = "B-B"; };/ ;; :a;N;$!ba;s/level = "B-B"; \};\n\{/level = "B-B"; };/  |  other :  |  no rule and no ticket uses this seal  |  take it out  |  warning
one key under two names  |  s#^tokens :$#tokens :\n{\n  two : { module = "$MODULE"; label = "$TOKEN"; key_label = "seal-p256"; chain = "$R/pki/issuing.pem"; pin = "login"; };# ;; :a;N;$!ba;s/pin = "login"; \};\n\{/pin = "login"; };/ ;; s/tokens = \[ "soft" \]/tokens = [ "soft", "two" ]/  |  soft :  |  is the same token and key as "two"  |  give each its serial  |  warning
a token that nothing uses  |  s#^tokens :$#tokens :\n{\n  two : { module = "$MODULE"; label = "$TOKEN"; key_label = "seal-rsa3072"; chain = "$R/pki/issuing.pem"; pin = "login"; };# ;; :a;N;$!ba;s/pin = "login"; \};\n\{/pin = "login"; };/  |  two :  |  no seal uses this token  |  add it to a seal  |  warning
a PIN in the settings  |  s/pin = "file:[^"]*"/pin = "1234"/  |  pin =  |  a PIN never stands in the settings  |  write "credential:NAME"
a key's number that is none  |  s/key_label = .*/key_id = "0g1";/  |  key_id =  |  tokens.soft.key_id  |  pairs of hexadecimal digits
a token named like the log  |  s/^  soft :/  log :/ ;; s/"soft"/"log"/  |  log :  |  is the name of the log's own key  |  take another
an address that is none  |  s#^trust#tsa : { q : { url = [ "ftp://x/" ]; trust = "t.pem"; }; };\n&# ;; s/level = "B-B"/level = "B-T"; tsa = "q"/  |  ftp:  |  tsa.q.url: "ftp://x/"  |  write http://host/path
a policy that is none  |  s#^trust#tsa : { q : { url = [ "http://x/" ]; trust = "t.pem"; policy = "qualified"; }; };\n&# ;; s/level = "B-B"/level = "B-T"; tsa = "q"/  |  policy =  |  tsa.q.policy  |  write an OID
a colour too bright for a code  |  s/lines = /qr = "{id}"; color = "#ffff00"; lines = /  |  qr =  |  too bright for a QR code  |  take a darker one
a colour that is none  |  s/lines = /color = "blue"; lines = /  |  color =  |  look.color: "blue"  |  write "#RRGGBB"
two folders of one path  |  s#^folders :#folders :\n{\n  mail : { path = "$R/./in"; rules = [ "rest" ]; seals = [ "stamp" ]; };# ;; :a;N;$!ba;s/\[ "stamp" \]; \};\n\{/[ "stamp" ]; };/  |  path = "$R/in";  |  is also the path of folder "mail"  |  give each its own
a folder inside another  |  s#^folders :#folders :\n{\n  mail : { path = "$R/in/mail"; rules = [ "rest" ]; seals = [ "stamp" ]; };# ;; :a;N;$!ba;s/\[ "stamp" \]; \};\n\{/[ "stamp" ]; };/  |  path = "$R/in";  |  folder "mail" lies inside the other  |  put them side by side
the archive inside a hot folder  |  s#path = "[^"]*/archive"#path = "$R/in/archive"#  |  path = "$R/in";  |  archive.path .* lies inside the other  |  put them side by side
the state inside the archive  |  s#^state = .*#state = "$R/archive/state";#  |  state =  |  state: must not lie inside archive.path  |  put it elsewhere
the log's key inside the archive  |  s#key = "[^"]*evidence.key"#key = "$R/archive/evidence.key"#  |  evidence :  |  evidence.key: must not lie inside archive.path  |  put it elsewhere
a log's name with a blank  |  s#test.example/room#our log#  |  evidence :  |  evidence.origin  |  as "seal.example.org/post"
a shared folder without a host's name  |  s/settle = /claim = "rename"; settle = /  |  claim =  |  needs a name for this host  |  write host =
files given up before they can be whole  |  s/settle = "300ms"/settle = "5s"/  |  incomplete_max =  |  is over before settle is  |  let it be hours  |  warning
results that are gone at once  |  s/settle = /give = { keep = "10min"; }; settle = /  |  give =  |  give.keep: results are gone within an hour  |  write days  |  warning
an alarm that comes too late  |  s/^control/alarms : { space = "1MiB"; };\n&/  |  alarms :  |  alarms.space: is less than space_floor  |  let it be more  |  warning
records that nobody stamps  |  s/^evidence : \{/evidence : { batch = "24h";/  |  evidence :  |  evidence.batch: without evidence.tsa  |  name a tsa  |  warning
a fault in a file of folders.d  |  !mkdir folders.d; printf 'rules :\n{\n  more : { when = "always"; hold = { end = "x"; }; };\n};\n' >folders.d/more.conf  |  folders.d/more.conf:more :  |  rules.more.hold.end: there is no such key  |  did you mean "en"
a seal in a file of folders.d  |  !mkdir folders.d; printf 'seals : {};\n' >folders.d/more.conf  |  folders.d/more.conf:seals  |  only folders and rules  |  put it into the main file
== world
a hot folder that is not there  |  s#path = "$R/in"#path = "$C/in"#  |  path = "$C/in"  |  '$C/in' is not there  |  run: install -d
a hot folder that is a file  |  !touch in ;; s#path = "$R/in"#path = "$C/in"#  |  path = "$C/in"  |  is not a directory  |  name one
a hot folder that we can not write  |  !mkdir -m 555 in ;; s#path = "$R/in"#path = "$C/in"#  |  path = "$C/in"  |  can not read and write '$C/in'  |  make it the owner
a file where results go  |  !mkdir in && touch in/done ;; s#path = "$R/in"#path = "$C/in"#  |  path = "$C/in"  |  '$C/in/done' is where results go  |  move it away
a folder of results that we can not write  |  !mkdir -p in/held && chmod 555 in/held ;; s#path = "$R/in"#path = "$C/in"#  |  path = "$C/in"  |  can not write to '$C/in/held'  |  run: chown
a hot folder in the archive by a link  |  !mkdir arc arc/in && ln -s arc/in in ;; s#path = "$R/in"#path = "$C/in"# ;; s#path = "$R/archive"#path = "$C/arc"#  |  path = "$C/in"  |  lie inside each other, by a link or mount  |  put them side by side
people told apart where the mount does not  |  s/settle = "300ms"/allow = [ "root" ]; poll = "always"; settle = "30s"/ ;; s/incomplete_max = "2s"/incomplete_max = "24h"/  |  allow =  |  allow goes by the owner that the mount shows  |  mount with multiuser or idmap  |  warning
a network folder read too early  |  s/settle = "300ms"/poll = "always"; settle = "1s"/  |  poll =  |  settle is 1.0 s  |  let it be longer  |  warning
a user who is not there  |  s/settle = /allow = [ "nobody-of-ours" ]; settle = /  |  allow =  |  'nobody-of-ours' is no user  |  take it out of the list
an operator who is not there  |  s/^control/operators = [ "@no-such-group" ];\n&/  |  operators =  |  '@no-such-group' is no user or @group  |  make it
an archive that is not there  |  s#path = "$R/archive"#path = "$C/archive"#  |  archive :  |  archive.path: '$C/archive' is not there  |  run: install -d
a state that others write  |  !mkdir state && chmod 777 state ;; s#^state = .*#state = "$C/state";#  |  state =  |  others may write to '$C/state'  |  run: chmod go-w
a state that can not be made  |  s#^state = .*#state = "/proc/sealroom/state";#  |  state =  |  can not make it  |  run: install -d
a socket without a directory  |  s#^control = .*#control = "/proc/sealroom/control";#  |  control =  |  control: '/proc/sealroom' is not there  |  run: install -d
figures without a directory  |  s#^control#metrics = "$C/prom/x.prom";\n&#  |  metrics =  |  metrics: '$C/prom' is not there  |  run: install -d
a log of another name  |  !mkdir -p archive/evidence/log && printf 'old.example/log\n3\n' >archive/evidence/log/checkpoint && touch evidence.key && chmod 400 evidence.key ;; s#path = "$R/archive"#path = "$C/archive"# ;; s#key = "[^"]*evidence.key"#key = "$C/evidence.key"#  |  evidence :  |  the log in the archive is 'old.example/log'  |  write that
a log without its key  |  !mkdir -p archive/evidence/log && printf 'test.example/room\n3\n' >archive/evidence/log/checkpoint ;; s#path = "$R/archive"#path = "$C/archive"# ;; s#key = "[^"]*evidence.key"#key = "$C/evidence.key"#  |  evidence :  |  evidence.key: '$C/evidence.key' is not there  |  restore it
a log's key that others read  |  !touch evidence.key && chmod 444 evidence.key ;; s#key = "[^"]*evidence.key"#key = "$C/evidence.key"#  |  evidence :  |  evidence.key: others may read  |  run: chmod 0400
trust roots that are not there  |  s#^trust = .*#trust = "$C/none.pem";#  |  trust =  |  trust: '$C/none.pem'  |  correct the path
trust roots that are none  |  !echo hello >none.pem ;; s#^trust = .*#trust = "$C/none.pem";#  |  trust =  |  trust: settings  |  hold certificates
roots of earlier signatures that are not there  |  s#^scan : \{#& signed_trust = "$C/none.pem";#  |  scan :  |  scan.signed_trust: '$C/none.pem'  |  correct the path
roots of earlier signatures in a file without any  |  !echo hello >none.pem ;; s#^scan : \{#& signed_trust = "$C/none.pem";#  |  scan :  |  scan.signed_trust: '$C/none.pem' holds no certificate  |  put the roots into it
a root of earlier signatures in DER  |  s#^scan : \{#& signed_trust = "$R/root.der";#  |  scan :  |  holds no certificate in PEM  |  openssl x509 -inform DER
a root of earlier signatures that is torn  |  s#^scan : \{#& signed_trust = "$R/torn.pem";#  |  scan :  |  certificate 2 of '$R/torn.pem' can not be read  |  export it anew
a root of earlier signatures that expired  |  s#^scan : \{#& signed_trust = "$R/gone.pem";#  |  scan :  |  the root "/O=Gone/CN=old root" expired on 2020-01-01  |  put its successor beside it  |  warning
a private key among the roots of earlier signatures  |  s#^scan : \{#& signed_trust = "$R/secret.pem";#  |  scan :  |  '$R/secret.pem' holds a private key  |  make a new one
roots that the seal's certificate does not lead to  |  s#^trust = .*#trust = "$OTHERS";#  |  chain =  |  no chain leads from its certificate  |  or the root to the file of trust
a chain that was left out  |  s#^    chain = .*##  |  soft :  |  no chain leads from its certificate  |  add the issuing certificates
a picture that is not there  |  s#lines = #image = "$C/none.png"; lines = #  |  image =  |  look.image: '$C/none.png'  |  correct the path
a picture that is none  |  !echo hello >none.png ;; s#lines = #image = "$C/none.png"; lines = #  |  image =  |  neither PNG nor JPEG  |  save it as PNG
a picture of too many pixels  |  s#lines = #image = "$R/vast.png"; lines = #  |  image =  |  3000 x 3000 pixels  |  make it smaller
a picture of too many bytes  |  s#lines = #image = "$R/bytes.png"; lines = #  |  image =  |  has 3072 KiB  |  make it smaller
a picture that weighs  |  s#lines = #image = "$R/heavy.png"; lines = #  |  image =  |  every sealed document grows by  |  make it smaller  |  warning
a font that is not there  |  s#lines = #font = "$C/none.ttf"; lines = #  |  font =  |  look.font: '$C/none.ttf'  |  correct the path
a font that is none  |  s#lines = #font = "$R/heavy.png"; lines = #  |  font =  |  not a TrueType font  |  is needed
a sign that the font lacks  |  s#"Sealed"#"सील"#  |  lines =  |  no sign for U\+0938 \(स\)  |  look.font
an organization's name that the font lacks  |  s#chain = #cert = "$R/hindi.pem"; chain = #  |  lines =  |  no sign for U\+0938  |  look.font
an organization that is not named  |  s#chain = #cert = "$R/noorg.pem"; chain = #  |  lines =  |  names no organization  |  write the name as text  |  warning
text that does not fit  |  s/near = "Approved";  size = \[ "62mm", "24mm" \]/near = "Approved"; size = [ "62mm", "5mm" ]/  |  near =  |  what seal "stamp" shows has no room  |  make size larger
a code that can not be read  |  s/lines = .*/lines = []; qr = "{id}{id}{id}{id}{id}";/ ;; s/near = "Approved";  size = \[ "62mm", "24mm" \]/near = "Approved"; size = [ "10mm", "10mm" ]/  |  near =  |  the QR code would be  |  make size larger
a language that is not installed  |  s/"eng"/"xyz"/  |  scan :  |  no recognition data  |  install tesseract-ocr
a PIN file that is not there  |  s#pin = .*#pin = "file:$C/pin";#  |  pin =  |  PIN file '$C/pin'  |  write the PIN into it
a PIN file that others read  |  !echo 1 >pin && chmod 644 pin ;; s#pin = .*#pin = "file:$C/pin";#  |  pin =  |  others may read PIN file  |  run: chmod 0400
a PIN file that is empty  |  !touch pin && chmod 400 pin ;; s#pin = .*#pin = "file:$C/pin";#  |  pin =  |  PIN file '$C/pin' is empty  |  write the PIN into it
a module that is not there  |  s#module = .*#module = "$C/p11.so";#  |  module =  |  tokens.soft.module: '$C/p11.so'  |  correct the path
a token that is not inserted, or that the module does not know  |  s#label = "$TOKEN"#label = "another"#  |  label = "another"  |  no token with label another  |  insert it.*newer OpenSC
a certificate for encryption alone  |  s#chain = #cert = "$R/nonr.pem"; chain = #  |  cert =  |  is not for signatures  |  choose another
a certificate of a web server  |  s#chain = #cert = "$R/server.pem"; chain = #  |  cert =  |  for servers, code or time stamps  |  order one for seals  |  warning
an authority's certificate  |  s#chain = #cert = "$R/cacert.pem"; chain = #  |  cert =  |  is an authority's own  |  name that of the seal  |  warning
a certificate that expired  |  s#key_label = "seal-p256"#key_label = "odd-expired"#  |  soft :  |  expired on  |  get a new one
a certificate that expires soon  |  s#chain = #cert = "$R/soon.pem"; chain = #  |  cert =  |  the certificate expires on  |  order a new one  |  warning
a key on a curve that Adobe does not know  |  s#key_label = .*#key_label = "none"; cert = "$R/brainpool.pem";#  |  key_label =  |  brainpool curve, of which Adobe  |  order one for RSA 3072
an RSA key that is too short  |  s#key_label = "seal-p256"#key_label = "seal-rsa2048"#  |  key_label =  |  2048 bits is too short  |  use 3072
an issuer that is not in the chain  |  s#chain = .*#chain = "$OTHERS";#  |  chain =  |  the issuer of .* is not in that file  |  add its certificate
an authority that does not answer  |  s#^trust#tsa : { q : { url = [ "http://127.0.0.1:1/tsa" ]; trust = "$R/pki/root.pem"; }; };\n&# ;; s/level = "B-B"/level = "B-T"; tsa = "q"/  |  url =  |  tsa-unreachable  |  correct the url
an authority that is not trusted  |  s#^trust#tsa : { q : { url = [ "$TSA_URL" ]; trust = "$OTHERS"; }; };\n&# ;; s/level = "B-B"/level = "B-T"; tsa = "q"/  |  url =  |  tsa q: tsa-answer-refused  |  trust and policy
a clock that is not the authority's  |  @tsa=skew:7200 ;; s#^trust#tsa : { q : { url = [ "$TSA_URL" ]; trust = "$R/pki/root.pem"; }; };\n&# ;; s/level = "B-B"/level = "B-T"; tsa = "q"/  |  url =  |  lies outside .*: compare the clocks  |  timedatectl
an authority whose certificate expired  |  @tsa=badcert ;; s#^trust#tsa : { q : { url = [ "$TSA_URL" ]; trust = "$R/pki/root.pem"; }; };\n&# ;; s/level = "B-B"/level = "B-T"; tsa = "q"/  |  url =  |  tsa-answer-refused  |  trust and policy
a login page in the place of the authority  |  @tsa=html ;; s#^trust#tsa : { q : { url = [ "$TSA_URL" ]; trust = "$R/pki/root.pem"; }; };\n&# ;; s/level = "B-B"/level = "B-T"; tsa = "q"/  |  url =  |  a login page in between  |  timedatectl
TABLE
mkdir "$W/cases"
"$TOOLS/checkall" faults "$W/base.conf" "$W/table" "$W/cases" >"$W/out"
cat "$W/out"
grep -c '^not ok' "$W/out" | grep -qx 0 && [ "$(grep -c '^ok' "$W/out")" -ge 50 ]
