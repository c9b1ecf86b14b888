/* What the parts of the page share: text from outside, numbers, cells with an origin. */
#ifndef SYSTOLE_REPORT_HTML_TEXT_H
#define SYSTOLE_REPORT_HTML_TEXT_H

#include <stdio.h>

#include "report/origin.h"
#include "report/report.h"

typedef struct systole_page {
  FILE *file;
  const systole_report *report;
  systole_origins origins; /* of the numbers shown so far */
} systole_page;

/* Text from outside, for content and attributes; " x " between sizes becomes the sign for
 * it. */
void systole_html_put(FILE *file, const char *text);

/* Three digits or all of a whole number, commas between thousands, powers of ten far from
 * 1. */
void systole_html_number(FILE *file, double value);
void systole_html_seconds(FILE *file, double seconds);

/* "low-high" in small figures, when there is a difference. */
void systole_html_range(FILE *file, double low, double high);

/* <th> of a column; `unit` "" or NULL: none. */
void systole_html_head(FILE *file, const char *title, const char *unit, int words);

/* <td> that sorts by `value` and tells where its number comes from; the caller writes the
 * number and closes the cell. kind NULL: no number, the cell is empty. `detail` may be
 * NULL. */
void systole_html_open(systole_page *page, const char *kind, double value,
                       const char *used, const char *source, const char *detail);
/* The kind's mark, and </td>. */
void systole_html_close(systole_page *page, const char *kind);

#endif
