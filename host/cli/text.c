#include "text.h"

#include <inttypes.h>
#include <langinfo.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

char *systole_text_count(char out[SystoleText], uint64_t value) {
  char digits[24];
  snprintf(digits, sizeof digits, "%" PRIu64, value);
  const size_t length = strlen(digits);
  char *to = out;
  for (size_t i = 0; i < length; i++) {
    if (i > 0 && (length - i) % 3 == 0) *to++ = ',';
    *to++ = digits[i];
  }
  *to = '\0';
  return out;
}

char *systole_text_figure(char out[SystoleText], double value) {
  const double size = fabs(value);
  int decimals = 0;
  if (size > 0 && size < 100) {
    decimals = 2 - (int)floor(log10(size));
    if (decimals > 9) decimals = 9;
  }
  snprintf(out, SystoleText, "%.*f", decimals, value);
  return out;
}

char *systole_text_bytes(char out[SystoleText], uint64_t bytes) {
  static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = (double)bytes;
  size_t unit = 0;
  while (value >= 1024 && unit + 1 < sizeof units / sizeof units[0]) {
    value /= 1024;
    unit++;
  }
  snprintf(out, SystoleText, "%.*f %s", unit > 0 && value < 100 ? 1 : 0, value,
           units[unit]);
  return out;
}

char *systole_text_seconds(char out[SystoleText], double seconds) {
  char figure[SystoleText];
  const char *unit = "s";
  if (seconds < 1e-6) {
    seconds *= 1e9;
    unit = "ns";
  } else if (seconds < 1e-3) {
    seconds *= 1e6;
    unit = "us";
  } else if (seconds < 1) {
    seconds *= 1e3;
    unit = "ms";
  }
  systole_text_figure(figure, seconds);
  snprintf(out, SystoleText, "%.30s %s", figure, unit);
  return out;
}

int systole_text_unicode(void) { return strcmp(nl_langinfo(CODESET), "UTF-8") == 0; }

char *systole_text_bar(char *out, double part, int width) {
  static const char *const eighths[] = {"",       "\u258f", "\u258e", "\u258d", "\u258c",
                                        "\u258b", "\u258a", "\u2589", "\u2588"};
  if (!(part > 0)) part = 0;
  if (part > 1) part = 1;
  char *to = out;
  *to = '\0';
  if (!systole_text_unicode()) {
    const int full = (int)lround(part * width);
    memset(out, '#', (size_t)full);
    out[full] = '\0';
    return out;
  }
  int left = (int)lround(part * width * 8);
  if (left == 0 && part > 0) left = 1;
  while (left > 0) {
    const int step = left < 8 ? left : 8;
    to += sprintf(to, "%s", eighths[step]);
    left -= step;
  }
  return out;
}

static const char *escape(const char *sequence) {
  const char *no_color = getenv("NO_COLOR");
  if (no_color != NULL && no_color[0] != '\0') return "";
  return isatty(STDOUT_FILENO) ? sequence : "";
}

const char *systole_text_bold(void) { return escape("\033[1m"); }
const char *systole_text_good(void) { return escape("\033[32m"); }
const char *systole_text_bad(void) { return escape("\033[1;31m"); }
const char *systole_text_dim(void) { return escape("\033[2m"); }
const char *systole_text_plain(void) { return escape("\033[0m"); }
