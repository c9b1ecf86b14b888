/* Explains a product's run: the reason from its ledger, and what to try. */
#ifndef SYSTOLE_CLI_ADVISE_H
#define SYSTOLE_CLI_ADVISE_H

#include "measure.h"
#include "report/result.h"

/* Fills result->explanation, from its figures and from `options`, with which the device
 * was opened. `commands`: `systole gemm` can repeat the product under other parameters,
 * so the advice says how. Nothing is explained where nothing is simulated, or under
 * random stalls. */
void systole_advise_product(systole_result *result, const systole_job *job,
                            const systole_device_options *options, int commands);

#endif
