/* The three-layer network 784 - n - n - 10 as three int8 products.
 *
 * A picture's byte p stands for the real number p / 255; as int8 it is p - 128, zero
 * point -128. Weights are seeded random int8. The -za * colsum(w) of an input with a zero
 * point goes into the bias, and the epilogue brings sums back to int8: the scale is
 * chosen so that the largest activation of the batch becomes 127, and the clamp at -128
 * (real zero) is the ReLU. The last layer gives int32 scores. */
#ifndef SYSTOLE_CLI_NETWORK_H
#define SYSTOLE_CLI_NETWORK_H

#include "workload.h"

int systole_network_open(systole_workload *out, const systole_workload_request *request);
int systole_network_solve(systole_workload *workload, systole_device *cpu);

#endif
