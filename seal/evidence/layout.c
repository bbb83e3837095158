#include "seal/evidence/layout.h"

/* The files as they are, so that their script can be read, run and tested where it stands. */
#define INCLUDED(name, file) \
	__asm__(".pushsection .rodata\n" \
	        ".global " #name "\n" \
	        ".type " #name ", @object\n" \
	        #name ":\n" \
	        ".incbin \"seal/evidence/" file "\"\n" \
	        ".byte 0\n" \
	        ".size " #name ", . - " #name "\n" \
	        ".popsection\n")

INCLUDED(layout_readme_1, "archive-readme-1.txt");
INCLUDED(layout_readme_2, "archive-readme-2.txt");
INCLUDED(layout_readme_3, "archive-readme.txt");
extern const char layout_readme_1[], layout_readme_2[], layout_readme_3[];

const char *
layout_readme(unsigned format)
{
	return format == 1 ? layout_readme_1 : format == 2 ? layout_readme_2 : layout_readme_3;
}
