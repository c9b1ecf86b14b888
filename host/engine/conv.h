/* A convolution whose arguments have been checked, as engines get it, and the one plain
 * statement of what it means. */
#ifndef SYSTOLE_ENGINE_CONV_H
#define SYSTOLE_ENGINE_CONV_H

#include <stdint.h>

#include "systole/systole.h"

typedef struct systole_conv_call {
  systole_conv2d conv; /* epilogue never NULL */
  systole_epilogue epilogue;
  int64_t lines, columns;         /* of the convolution */
  int64_t out_lines, out_columns; /* after the pool; the same without one */
  uint64_t macs;                  /* useful */
  const int8_t *input, *weights;
  void *output;
} systole_conv_call;

/* 1: the results are int8. */
static inline int systole_conv_is_s8(const systole_conv_call *call) {
  return call->epilogue.multiplier != NULL;
}

/* Fills everything from *conv, the pointers excepted, and checks sizes: returns
 * SYSTOLE_ERR_ARGUMENT with a sentence for what makes no sense. */
systole_status systole_conv_call_make(systole_conv_call *out, const systole_conv2d *conv);

/* Simple loops over every output and its window: what all other ways are compared with.
 * SYSTOLE_ERR_HOST_MEMORY when there is none for the sums of an image. */
systole_status systole_conv_reference(const systole_conv_call *call);

/* Its sums of one line of one image: [columns][out_channels], bias not yet added. */
void systole_conv_reference_line(int32_t *sums, const systole_conv_call *call,
                                 int64_t image, int64_t line);

/* Image `image` of the output from its int32 sums [lines][columns][out_channels], bias
 * not yet added, as epilogue.h defines it. */
void systole_conv_finish(const systole_conv_call *call, int64_t image,
                         const int32_t *sums);

#endif
