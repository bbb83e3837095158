# Data that sealroom-scan links in, because its children can open no file: profiles
# of sRGB and CMYK (lcms2), the glyphless font of the text layer, and the font of the stamp.
STAMP_FONT ?= /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf
sealroom-scan_GEN = $O/scan/gen/blobs.o

$O/scan/gen/mkblobs: scan/gen/mkblobs.c scan/gen.mk
	@mkdir -p $(@D)
	gcc -std=c17 -D_GNU_SOURCE -O1 $(WARN) $(shell pkg-config --cflags lcms2) -o $@ $< $(shell pkg-config --libs lcms2)
$O/scan/gen/srgb.icc $O/scan/gen/cmyk.icc $O/scan/gen/glyphless.ttf &: $O/scan/gen/mkblobs
	$< $(@D)
$O/scan/gen/blobs.o: scan/gen/blobs.c $O/scan/gen/srgb.icc $O/scan/gen/cmyk.icc $O/scan/gen/glyphless.ttf $(STAMP_FONT)
	$(CC) $(ALL_CFLAGS) -DBLOB_DIR='"$O/scan/gen"' -DSTAMP_FONT='"$(STAMP_FONT)"' -c -o $@ $<
