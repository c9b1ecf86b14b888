/* results.csv: one line per run, a header line first, an empty field where a figure is
 * not known. RFC 4180. */
#ifndef SYSTOLE_REPORT_CSV_H
#define SYSTOLE_REPORT_CSV_H

#include <stdio.h>

#include "report/report.h"

void systole_report_csv(FILE *file, const systole_report *report);

#endif
