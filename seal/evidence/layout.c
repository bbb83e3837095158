#include "seal/evidence/layout.h"

/* The file as it is, so that its script can be read, run and tested where it stands. */
__asm__(".pushsection .rodata\n"
        ".global layout_readme\n"
        ".type layout_readme, @object\n"
        "layout_readme:\n"
        ".incbin \"seal/evidence/archive-readme.txt\"\n"
        ".byte 0\n"
        ".size layout_readme, . - layout_readme\n"
        ".popsection\n");
