/* Which NVIDIA GPU a name means, and what it can multiply. */
#ifndef SYSTOLE_CUDA_CHOOSE_H
#define SYSTOLE_CUDA_CHOOSE_H

#include "runtime.h"

typedef struct systole_cuda_device {
  cuda_device device;
  int index;
  char name[96];
  char address[32]; /* PCIe: "0000:3B:00.0" */
  int capability;   /* compute capability times ten: 90 is 9.0 */
  int processors;
  uint64_t memory_bytes;
} systole_cuda_device;

enum { SystoleCudaDevices = 16 };

/* All of them, in the driver's order. Returns how many; 0 with a reason in *why (static
 * storage). */
int systole_cuda_devices(systole_cuda_device out[SystoleCudaDevices], const char **why);

/* The device of that index ("1"), or the first whose name contains `what` in any case;
 * NULL: the first. SYSTOLE_ERR_NOT_FOUND with a sentence that lists what is here. */
systole_status systole_cuda_choose(systole_cuda_device *out, const char *what);

/* 1 if tensor cores (float32: the others) of that device multiply the format; else 0. The
 * compute capability times ten that it takes is in *needed. */
int systole_cuda_multiplies(const systole_cuda_device *device, systole_format format,
                            int *needed);

#endif
