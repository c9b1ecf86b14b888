#include "card/xrt/name.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/error.h"

static systole_status wrong(const char *what, const char *why) {
  return systole_fail(SYSTOLE_ERR_ARGUMENT,
                      "xrt:%s: %s; the form is xrt:FILE.xclbin[:card=INDEX or PCIe "
                      "address][:cu=UNIT]",
                      what, why);
}

/* The last ":key=" of `text`, so that a file's name may hold colons. */
static char *find_key(char *text, const char *key) {
  char *found = NULL;
  for (char *at = strstr(text, key); at; at = strstr(at + 1, key)) found = at;
  return found;
}

static int is_address(const char *text) {
  return *text != '\0' && strspn(text, "0123456789abcdefABCDEF:.") == strlen(text) &&
         strchr(text, ':');
}

systole_status systole_xrt_name_parse(systole_xrt_name *out, const char *what) {
  char text[sizeof out->file];
  memset(out, 0, sizeof *out);
  if (strlen(what) >= sizeof out->file) return wrong("...", "the name is too long");
  (void)snprintf(text, sizeof text, "%s", what);
  char *unit = find_key(text, ":cu="), *card = find_key(text, ":card=");
  if (unit && card && unit < card) return wrong(what, "the card comes before the unit");
  if (unit) *unit = '\0', unit += strlen(":cu=");
  if (card) *card = '\0', card += strlen(":card=");
  if (text[0] == '\0') return wrong(what, "the file is missing");
  if (unit && (*unit == '\0' || strlen(unit) >= sizeof out->unit ||
               strpbrk(unit, ":{},()*|\\^$ "))) {
    return wrong(what, "that is no name of a compute unit");
  }
  if (card && strlen(card) >= sizeof out->card) {
    return wrong(what, "that is no card");
  }
  (void)snprintf(out->file, sizeof out->file, "%s", text);
  (void)snprintf(out->card, sizeof out->card, "%s", card ? card : "0");
  if (unit) (void)snprintf(out->unit, sizeof out->unit, "%s", unit);
  if (strspn(out->card, "0123456789") == strlen(out->card) && *out->card &&
      strlen(out->card) < 6) {
    out->index = atoi(out->card);
  } else if (is_address(out->card)) {
    out->index = -1;
  } else {
    return wrong(what, "a card is an index (0) or a PCIe address (0000:3b:00.1)");
  }
  return SYSTOLE_OK;
}
