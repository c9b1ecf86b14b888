/* What a person reads after a run. */
#ifndef SYSTOLE_CLI_SHOW_H
#define SYSTOLE_CLI_SHOW_H

#include "report/result.h"

/* One run on standard output: throughput, power, traffic and where the cycles went. */
void systole_show_result(const systole_result *result);

/* The reason why a run is below its peak, and what to try. Nothing when there is none. */
void systole_show_explanation(const systole_explanation *explanation);

/* The whole object on standard output; returns an exit code. */
int systole_show_json(cJSON *object);

#endif
