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

/* The same for the convolution of `conv`; `line` is the command as it was typed, without
 * the program's name, to which an option is added; NULL: there is none. */
void systole_advise_conv(systole_result *result, const systole_conv2d *conv,
                         const systole_device_options *options, const char *line);

#endif
