#include "report/utf8.h"

#include <string.h>

static const char replacement[] = "\xef\xbf\xbd";

int systole_utf8_letter(const char *text) {
  const unsigned char *t = (const unsigned char *)text;
  const unsigned char lead = t[0];
  if (lead < 0x80) return 1;
  const int length = lead >= 0xc2 && lead <= 0xdf   ? 2
                     : lead >= 0xe0 && lead <= 0xef ? 3
                     : lead >= 0xf0 && lead <= 0xf4 ? 4
                                                    : 0;
  for (int i = 1; i < length; i++) {
    if ((t[i] & 0xc0) != 0x80) return 0; /* the end of the text is no such byte */
  }
  /* Overlong forms, surrogates, and what lies beyond U+10FFFF. */
  if ((lead == 0xe0 && t[1] < 0xa0) || (lead == 0xed && t[1] > 0x9f) ||
      (lead == 0xf0 && t[1] < 0x90) || (lead == 0xf4 && t[1] > 0x8f)) {
    return 0;
  }
  return length;
}

void systole_utf8_put(FILE *file, const char *text) {
  while (*text != '\0') {
    const int length = systole_utf8_letter(text);
    if (length > 0) {
      fwrite(text, 1, (size_t)length, file);
    } else {
      fputs(replacement, file);
    }
    text += length > 0 ? length : 1;
  }
}

void systole_xml_put(FILE *file, const char *text) {
  while (*text != '\0') {
    const int length = systole_utf8_letter(text);
    const unsigned char c = (unsigned char)*text;
    const int banned = (c < ' ' && strchr("\t\n\r", c) == NULL) ||
                       strncmp(text, "\xef\xbf\xbe", 3) == 0 ||
                       strncmp(text, "\xef\xbf\xbf", 3) == 0;
    if (length == 0 || banned) {
      fputs(replacement, file);
    } else if (c == '&') {
      fputs("&amp;", file);
    } else if (c == '<') {
      fputs("&lt;", file);
    } else if (c == '>') {
      fputs("&gt;", file);
    } else if (c == '"') {
      fputs("&quot;", file);
    } else if (c == '\'') {
      fputs("&apos;", file);
    } else if (c == '\n' || c == '\r' || c == '\t') {
      fprintf(file, "&#%d;", c); /* else an attribute would turn it into a space */
    } else {
      fwrite(text, 1, (size_t)length, file);
    }
    text += length > 0 ? length : 1;
  }
}
