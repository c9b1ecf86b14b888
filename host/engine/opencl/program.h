/* The int8 kernel, built for one device in the fastest form that is exact there. */
#ifndef SYSTOLE_OPENCL_PROGRAM_H
#define SYSTOLE_OPENCL_PROGRAM_H

#include "choose.h"

/* What the kernel's source fixes; see gemm_int8.cl. */
enum {
  SystoleOpenclTile = 64, /* rows and columns of C a work-group */
  SystoleOpenclSide = 16, /* work-items a side */
  SystoleOpenclStep = 32  /* values of K a step */
};

typedef struct systole_opencl_program {
  const char *name; /* e.g. "opencl-int8-dp4a"; static storage */
  cl_program program;
  cl_kernel kernel;
} systole_opencl_program;

/* One product on the device; buffers as gemm_int8.cl lays them out. */
typedef struct systole_opencl_product {
  cl_int m, n, n_padded, words;
  cl_mem a, b, c, bias, multiplier, shift;
  cl_int requantise, zero_point, clamp_low, clamp_high;
} systole_opencl_product;

/* Builds each form that the device may know, fastest first, and takes the first one whose
 * results are exact on sums as large as they get. SYSTOLE_ERR_DEVICE with the compiler's
 * words when none is. */
systole_status systole_opencl_program_make(systole_opencl_program *out,
                                           const systole_opencl_device *device,
                                           cl_context context, cl_command_queue queue);
void systole_opencl_program_free(systole_opencl_program *program);

/* Enqueues; *event may be NULL. */
cl_int systole_opencl_launch(const systole_opencl_program *program,
                             cl_command_queue queue,
                             const systole_opencl_product *product, cl_event *event);

#endif
