/* results.json; its schema stands in host/report/README.md. */
#ifndef SYSTOLE_REPORT_JSON_H
#define SYSTOLE_REPORT_JSON_H

#include <cjson/cJSON.h>

#include "report/report.h"

/* NULL when memory is exhausted. */
cJSON *systole_report_json(const systole_report *report);

#endif
