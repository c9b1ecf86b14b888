/* results.json; its schema is results.schema.json, in words host/report/README.md. */
#ifndef SYSTOLE_REPORT_JSON_H
#define SYSTOLE_REPORT_JSON_H

#include <cjson/cJSON.h>

#include "report/report.h"

/* Counts up when a key changes its meaning. */
enum { SystoleResultsSchema = 1 };

/* NULL when memory is exhausted. */
cJSON *systole_report_json(const systole_report *report);

#endif
