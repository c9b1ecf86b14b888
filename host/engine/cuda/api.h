/* What is used of NVIDIA's interfaces, declared here after their documentation, so that
 * nothing of theirs is needed to build: CUDA Driver API reference and cuBLAS library
 * documentation, version 12 (the chapters "cuBLASLt Datatypes Reference" and "API
 * Reference"). None of it changed from 11.0 to 13.0. Driver functions of which there are
 * two generations are named by the second, _v2, as cuda.h does. */
#ifndef SYSTOLE_CUDA_API_H
#define SYSTOLE_CUDA_API_H

#include <stddef.h>
#include <stdint.h>

/* ---- the driver ----------------------------------------------------------------------
 */

typedef int cuda_result;       /* CUresult */
typedef int cuda_device;       /* CUdevice */
typedef uint64_t cuda_address; /* CUdeviceptr */
typedef struct CUctx_st *cuda_context;
typedef struct CUstream_st *cuda_stream;
typedef struct CUevent_st *cuda_event;

enum {
  CudaSuccess = 0,
  CudaOutOfMemory = 2,
  CudaNoDevice = 100,
  /* CUdevice_attribute */
  CudaMultiprocessors = 16,
  CudaCapabilityMajor = 75,
  CudaCapabilityMinor = 76
};

#define SYSTOLE_CUDA_DRIVER(X)                                                   \
  X(init, "cuInit", (unsigned flags))                                            \
  X(driver_version, "cuDriverGetVersion", (int *version))                        \
  X(error_name, "cuGetErrorName", (cuda_result code, const char **name))         \
  X(device_count, "cuDeviceGetCount", (int *count))                              \
  X(device_get, "cuDeviceGet", (cuda_device * out, int index))                   \
  X(device_name, "cuDeviceGetName", (char *name, int bytes, cuda_device device)) \
  X(device_memory, "cuDeviceTotalMem_v2", (size_t * bytes, cuda_device device))  \
  X(device_attribute, "cuDeviceGetAttribute",                                    \
    (int *value, int attribute, cuda_device device))                             \
  X(device_address, "cuDeviceGetPCIBusId",                                       \
    (char *address, int bytes, cuda_device device))                              \
  X(context_retain, "cuDevicePrimaryCtxRetain",                                  \
    (cuda_context * out, cuda_device device))                                    \
  X(context_release, "cuDevicePrimaryCtxRelease_v2", (cuda_device device))       \
  X(context_use, "cuCtxSetCurrent", (cuda_context context))                      \
  X(stream_create, "cuStreamCreate", (cuda_stream * out, unsigned flags))        \
  X(stream_destroy, "cuStreamDestroy_v2", (cuda_stream stream))                  \
  X(stream_wait, "cuStreamSynchronize", (cuda_stream stream))                    \
  X(event_create, "cuEventCreate", (cuda_event * out, unsigned flags))           \
  X(event_destroy, "cuEventDestroy_v2", (cuda_event event))                      \
  X(event_record, "cuEventRecord", (cuda_event event, cuda_stream stream))       \
  X(event_elapsed, "cuEventElapsedTime",                                         \
    (float *milliseconds, cuda_event from, cuda_event to))                       \
  X(allocate, "cuMemAlloc_v2", (cuda_address * out, size_t bytes))               \
  X(release, "cuMemFree_v2", (cuda_address address))                             \
  X(allocate_host, "cuMemAllocHost_v2", (void **out, size_t bytes))              \
  X(release_host, "cuMemFreeHost", (void *memory))                               \
  X(to_device, "cuMemcpyHtoDAsync_v2",                                           \
    (cuda_address to, const void *from, size_t bytes, cuda_stream stream))       \
  X(to_host, "cuMemcpyDtoHAsync_v2",                                             \
    (void *to, cuda_address from, size_t bytes, cuda_stream stream))

/* ---- cuBLASLt ------------------------------------------------------------------------
 */

typedef int lt_status; /* cublasStatus_t */
typedef struct cublasLtContext *lt_handle;
typedef struct lt_matmul_opaque *lt_matmul;         /* cublasLtMatmulDesc_t */
typedef struct lt_layout_opaque *lt_layout;         /* cublasLtMatrixLayout_t */
typedef struct lt_preference_opaque *lt_preference; /* cublasLtMatmulPreference_t */

typedef struct lt_algorithm {
  uint64_t data[8];
} lt_algorithm; /* cublasLtMatmulAlgo_t */

typedef struct lt_choice {
  lt_algorithm algorithm;
  size_t workspace_bytes;
  lt_status state;
  float waves;
  int reserved[4];
} lt_choice; /* cublasLtMatmulHeuristicResult_t */

enum {
  LtSuccess = 0,
  LtNotInitialised = 1,
  LtAllocFailed = 3,
  LtInvalidValue = 7,
  LtArchMismatch = 8,
  LtExecutionFailed = 13,
  LtInternalError = 14,
  LtNotSupported = 15,
  /* cudaDataType_t */
  LtF32 = 0,
  LtF16 = 2,
  LtS8 = 3,
  LtS32 = 10,
  LtBf16 = 14,
  /* cublasComputeType_t */
  LtComputeF32 = 68,
  LtComputeS32 = 72,
  LtComputeTf32 = 77, /* ..._32F_FAST_TF32 */
  /* cublasLtMatmulDescAttributes_t, int32_t each */
  LtTransposeA = 3,
  LtTransposeB = 4,
  LtTransposed = 1, /* cublasOperation_t CUBLAS_OP_T */
  /* cublasLtMatmulPreferenceAttributes_t, uint64_t */
  LtMaxWorkspaceBytes = 1
};

#define SYSTOLE_CUDA_LT(X)                                                             \
  X(create, "cublasLtCreate", (lt_handle * out))                                       \
  X(destroy, "cublasLtDestroy", (lt_handle handle))                                    \
  X(matmul_create, "cublasLtMatmulDescCreate",                                         \
    (lt_matmul * out, int compute, int scale))                                         \
  X(matmul_set, "cublasLtMatmulDescSetAttribute",                                      \
    (lt_matmul matmul, int attribute, const void *value, size_t bytes))                \
  X(matmul_destroy, "cublasLtMatmulDescDestroy", (lt_matmul matmul))                   \
  X(layout_create, "cublasLtMatrixLayoutCreate",                                       \
    (lt_layout * out, int type, uint64_t rows, uint64_t columns, int64_t ld))          \
  X(layout_destroy, "cublasLtMatrixLayoutDestroy", (lt_layout layout))                 \
  X(preference_create, "cublasLtMatmulPreferenceCreate", (lt_preference * out))        \
  X(preference_set, "cublasLtMatmulPreferenceSetAttribute",                            \
    (lt_preference preference, int attribute, const void *value, size_t bytes))        \
  X(preference_destroy, "cublasLtMatmulPreferenceDestroy", (lt_preference preference)) \
  X(choose, "cublasLtMatmulAlgoGetHeuristic",                                          \
    (lt_handle handle, lt_matmul matmul, lt_layout a, lt_layout b, lt_layout c,        \
     lt_layout d, lt_preference preference, int wanted, lt_choice *out, int *count))   \
  X(multiply, "cublasLtMatmul",                                                        \
    (lt_handle handle, lt_matmul matmul, const void *alpha, cuda_address a,            \
     lt_layout a_layout, cuda_address b, lt_layout b_layout, const void *beta,         \
     cuda_address c, lt_layout c_layout, cuda_address d, lt_layout d_layout,           \
     const lt_algorithm *algorithm, cuda_address workspace, size_t workspace_bytes,    \
     cuda_stream stream))

#define SYSTOLE_CUDA_MEMBER(name, symbol, arguments) int(*name) arguments;
typedef struct cuda_driver {
  SYSTOLE_CUDA_DRIVER(SYSTOLE_CUDA_MEMBER)
} cuda_driver;
typedef struct cuda_lt {
  SYSTOLE_CUDA_LT(SYSTOLE_CUDA_MEMBER)
} cuda_lt;
#undef SYSTOLE_CUDA_MEMBER

#endif
