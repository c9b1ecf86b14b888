/* Convolutions on the CPU. */
#ifndef SYSTOLE_CPU_CONV_H
#define SYSTOLE_CPU_CONV_H

#include "engine/conv.h"
#include "kernel.h"

/* By oneDNN's convolution where the kernel is oneDNN's or the best of this machine needs
 * the same instructions, by plain loops where it is plain C, else as the product of
 * gathered windows and the kernel's matrix. *name is what computed it (static storage).
 */
systole_status systole_cpu_conv2d(const systole_conv_call *call,
                                  const systole_cpu_kernel *kernel,
                                  systole_cpu_room *room, int threads, const char **name,
                                  double *prepare_s);

/* onednn_conv.c: int32 sums of one image, [lines][columns][out_channels], exact. Adds to
 * *prepare_s.
 * SYSTOLE_ERR_UNSUPPORTED when this build or this CPU has no exact one. */
systole_status systole_onednn_conv(const systole_conv_call *call, int64_t image,
                                   int32_t *sums, int threads, double *prepare_s);
int systole_onednn_conv_usable(void);

#endif
