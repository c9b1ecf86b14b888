#include "report/html_text.h"

#include <math.h>
#include <string.h>

#include "report/utf8.h"
#include "text.h"

void systole_html_put(FILE *file, const char *text) {
  for (; *text != '\0'; text++) {
    const int letter = systole_utf8_letter(text);
    switch (*text) {
      case '&':
        fputs("&amp;", file);
        break;
      case '<':
        fputs("&lt;", file);
        break;
      case '>':
        fputs("&gt;", file);
        break;
      case '"':
        fputs("&quot;", file);
        break;
      default:
        if (strncmp(text, " x ", 3) == 0) {
          fputs(" &times; ", file);
          text += 2;
        } else if (letter == 0 ||
                   ((unsigned char)*text < ' ' && *text != '\n' && *text != '\t')) {
          fputs("\xef\xbf\xbd", file); /* nor are control characters HTML */
        } else {
          fwrite(text, 1, (size_t)letter, file);
          text += letter - 1;
        }
    }
  }
}

void systole_html_number(FILE *file, double value) {
  char text[SystoleText];
  const double size = fabs(value);
  if (size > 0 && (size < 1e-3 || size >= 1e8)) {
    int exponent = (int)floor(log10(size));
    double mantissa = value / pow(10, exponent);
    if (fabs(mantissa) >= 9.995) {
      mantissa /= 10;
      exponent++;
    }
    fprintf(file, "%.2f&thinsp;&times;&thinsp;10<sup>%s%d</sup>", mantissa,
            exponent < 0 ? "&minus;" : "", exponent < 0 ? -exponent : exponent);
  } else if (size >= 1e4) {
    fprintf(file, "%s%s", value < 0 ? "&minus;" : "",
            systole_text_count(text, (uint64_t)llround(size)));
  } else if (size == floor(size)) {
    fprintf(file, "%s%.0f", value < 0 ? "&minus;" : "", size);
  } else {
    fprintf(file, "%s%s", value < 0 ? "&minus;" : "", systole_text_figure(text, size));
  }
}

void systole_html_seconds(FILE *file, double seconds) {
  char text[SystoleText];
  systole_text_seconds(text, seconds);
  const size_t length = strlen(text);
  if (length > 2 && strcmp(text + length - 2, "us") == 0) {
    fprintf(file, "%.*s&micro;s", (int)length - 2, text);
  } else {
    fputs(text, file);
  }
}

void systole_html_range(FILE *file, double low, double high) {
  if (!(low < high)) return;
  fputs(" <span class=\"range\">", file);
  systole_html_number(file, low);
  fputs("&ndash;", file);
  systole_html_number(file, high);
  fputs("</span>", file);
}

void systole_html_head(FILE *file, const char *title, const char *unit, int words) {
  fprintf(file, "<th scope=\"col\"%s><span class=\"name\">",
          words ? " class=\"text\"" : "");
  systole_html_put(file, title);
  fputs("</span>", file);
  if (unit != NULL && unit[0] != '\0') {
    fputs("<span class=\"in\">", file);
    systole_html_put(file, unit);
    fputs("</span>", file);
  }
  fputs("</th>", file);
}

void systole_html_open(systole_page *page, const char *kind, double value,
                       const char *used, const char *source, const char *detail) {
  if (kind == NULL) {
    fputs("<td>", page->file);
    return;
  }
  const size_t origin = systole_origins_add(&page->origins, kind, source, used);
  fprintf(page->file, "<td data-v=\"%.9g\"", value);
  if (origin > 0) fprintf(page->file, " data-origin=\"origin-%zu\"", origin);
  fprintf(page->file, " title=\"%s: ", kind);
  systole_html_put(page->file, source);
  if (detail != NULL && detail[0] != '\0') {
    fputs("; ", page->file);
    systole_html_put(page->file, detail);
  }
  fputs("\">", page->file);
}

void systole_html_close(systole_page *page, const char *kind) {
  static const char *const marked[] = {"measured", "modelled", "published", "assumed",
                                       "estimate"};
  for (size_t i = 0; kind != NULL && i < sizeof marked / sizeof marked[0]; i++) {
    if (strcmp(kind, marked[i]) != 0) continue;
    fprintf(page->file,
            "<span class=\"mark m-%s\" role=\"img\" aria-label=\"%s\"></span>", kind,
            kind);
  }
  fputs("</td>", page->file);
}
