/* Which OpenCL device a name means. */
#ifndef SYSTOLE_OPENCL_CHOOSE_H
#define SYSTOLE_OPENCL_CHOOSE_H

#include "runtime.h"
#include "systole/energy.h"
#include "systole/systole.h"

typedef struct systole_opencl_device {
  cl_platform_id platform;
  cl_device_id device;
  cl_device_type type;
  char name[96];
  char platform_name[96];
  cl_uint units;
  cl_ulong largest_buffer; /* bytes */
  int khr_dot;             /* cl_khr_integer_dot_product */
  int nvidia;
  /* 1: a CPU plays the device (PoCL and its like). Good for testing kernels; its speed
   * says nothing about the CPU or about any GPU. */
  int functional;
} systole_opencl_device;

enum { SystoleOpenclDevices = 16 };

/* All devices that can compute, best first: GPUs, then accelerators, then CPUs, in the
 * platforms' order. Returns how many; 0 with a reason in *why (static storage). */
int systole_opencl_devices(systole_opencl_device out[SystoleOpenclDevices],
                           const char **why);

/* The best device whose name or platform contains `what`, in any case; NULL: the best of
 * all. SYSTOLE_ERR_NOT_FOUND with a sentence that lists what is here. */
systole_status systole_opencl_choose(systole_opencl_device *out, const char *what);

/* Whose energy the device takes: a GPU's, with its PCIe address where an extension tells
 * it, or the CPU's that plays it. */
void systole_opencl_draws(const systole_opencl_runtime *cl,
                          const systole_opencl_device *device, systole_energy_of *of,
                          char address[SYSTOLE_ENERGY_ADDRESS]);

#endif
