/* A seal's look as the settings have it by default. */
#ifndef SEALROOM_TEST_LOOKS_H
#define SEALROOM_TEST_LOOKS_H

#include "scan/look.h"

static const struct conf_look looks_conf = { .image = "", .qr = "", .font = "", .color = { 0x1a, 0x36, 0x6b }, .border = true };
static const struct look looks_plain = { .seal = "test", .conf = &looks_conf };

#endif
