/* What a person reads after a run. */
#ifndef SYSTOLE_CLI_SHOW_H
#define SYSTOLE_CLI_SHOW_H

#include "report/result.h"

/* One run on standard output: throughput, power, traffic and where the cycles went. */
void systole_show_result(const systole_result *result);

/* The whole object on standard output; returns an exit code. */
int systole_show_json(cJSON *object);

#endif
