/* results.csv: one line per run, a header line first, an empty field where a figure is
 * not known. RFC 4180. */
#ifndef SYSTOLE_REPORT_CSV_H
#define SYSTOLE_REPORT_CSV_H

#include <stdio.h>

#include "report/report.h"

void systole_report_csv(FILE *file, const systole_report *report);

/* One line per row. A column of words is one field; a column with numbers is KEY,
 * KEY_low, KEY_high, KEY_kind and KEY_source. */
void systole_table_csv(FILE *file, const systole_table *table);

#endif
