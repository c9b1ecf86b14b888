/* A comparison as JUnit XML, which CI servers show beside a pull request: one test case a
 * run, failed when its result is wrong or when it fails against the baseline. */
#ifndef SYSTOLE_REPORT_JUNIT_H
#define SYSTOLE_REPORT_JUNIT_H

#include <stdio.h>

#include "report/report.h"

/* Errors of the stream are found by whoever closes it. */
void systole_report_junit(FILE *file, const systole_report *report);

#endif
