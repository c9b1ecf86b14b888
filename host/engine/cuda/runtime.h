/* NVIDIA's driver and cuBLASLt, bound at run time: one program for machines with and
 * without a GPU. */
#ifndef SYSTOLE_CUDA_RUNTIME_H
#define SYSTOLE_CUDA_RUNTIME_H

#include "api.h"
#include "systole/systole.h"

typedef struct systole_cuda_runtime {
  cuda_driver driver;
  cuda_lt lt;
  int driver_version; /* 12040 is 12.4 */
} systole_cuda_runtime;

/* Both libraries, loaded once, the driver initialised; NULL, with a sentence of what was
 * looked for in *why (static storage), when there is no GPU to use. They stay loaded.
 *
 * Looked for are libcuda.so.1 and libcublasLt.so.13, .12, .11, by the system's rules and
 * then in /usr/local/nvidia/lib64 and /usr/local/cuda/lib64. The environment variable
 * SYSTOLE_CUDA names one folder that is looked into instead. */
const systole_cuda_runtime *systole_cuda(const char **why);

/* "CUDA_ERROR_OUT_OF_MEMORY", as the driver calls it; never NULL. */
const char *systole_cuda_error(const systole_cuda_runtime *cuda, cuda_result code);

/* "CUBLAS_STATUS_NOT_SUPPORTED"; never NULL. */
const char *systole_cuda_lt_error(lt_status status);

/* Stores "CUDA could not <what>: <name> (<code>)" and returns the status that fits:
 * DEVICE_MEMORY or DEVICE; SYSTOLE_OK for success, without a sentence. */
systole_status systole_cuda_status(const systole_cuda_runtime *cuda, cuda_result code,
                                   const char *what);
systole_status systole_cuda_lt_status(lt_status status, const char *what);

#endif
