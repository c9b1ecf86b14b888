/* Convolutions on the CPU. */
#ifndef SYSTOLE_CPU_CONV_H
#define SYSTOLE_CPU_CONV_H

#include "engine/conv.h"
#include "kernel.h"

/* Who computes, and what comes of it beside the output. */
typedef struct systole_cpu_conv {
  const systole_cpu_kernel *kernel;
  systole_cpu_room *room;
  int threads;
  systole_progress progress; /* may be NULL */
  void *progress_user;
  const char *name; /* out: what computed it; static storage */
  double prepare_s; /* out: seconds for what depends on sizes and weights alone */
} systole_cpu_conv;

/* By oneDNN's convolution where it is exact here, by plain loops where the kernel is
 * plain C, else as products of gathered windows by the kernel. */
systole_status systole_cpu_conv2d(const systole_conv_call *call, systole_cpu_conv *by);

/* onednn_conv.c: int32 sums of one image, [lines][columns][out_channels], exact. Adds to
 * *prepare_s.
 * SYSTOLE_ERR_UNSUPPORTED when this build or this CPU has no exact one. */
systole_status systole_onednn_conv(const systole_conv_call *call, int64_t image,
                                   int32_t *sums, int threads, double *prepare_s);
int systole_onednn_conv_usable(void);

#endif
