#include "runtime.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/error.h"

static systole_cuda_runtime runtime;
static char missing[320];
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* Where containers that get the driver from their host have it, and the toolkit's own
 * installer puts libraries; neither is on the linker's path everywhere. */
static const char *const folders[] = {"", "/usr/local/nvidia/lib64/",
                                      "/usr/local/cuda/lib64/", "/usr/lib/wsl/lib/"};

static void *open_library(const char *const *names, size_t count) {
  const char *only = getenv("SYSTOLE_CUDA");
  char path[512];
  for (size_t i = 0; i < count; i++) {
    if (only != NULL && only[0] != '\0') {
      (void)snprintf(path, sizeof path, "%.440s/%s", only, names[i]);
      void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
      if (library != NULL) return library;
      continue;
    }
    for (size_t f = 0; f < sizeof folders / sizeof folders[0]; f++) {
      (void)snprintf(path, sizeof path, "%s%s", folders[f], names[i]);
      void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
      if (library != NULL) return library;
    }
  }
  return NULL;
}

/* ISO C has no cast from an object's to a function's address; POSIX promises the bytes.
 * The first name that is not there stays in *absent. */
static void bind(void *library, void *function, const char *name, const char **absent) {
  void *address = dlsym(library, name);
  memcpy(function, &address, sizeof address);
  if (address == NULL && *absent == NULL) *absent = name;
}

static const char *in_folder(void) {
  const char *only = getenv("SYSTOLE_CUDA");
  return only != NULL && only[0] != '\0' ? only : NULL;
}

static void say_absent(const char *what, const char *names, const char *remedy) {
  const char *only = in_folder();
  if (only != NULL) {
    (void)snprintf(missing, sizeof missing,
                   "%s: SYSTOLE_CUDA is %.120s, and %s cannot be loaded from there", what,
                   only, names);
  } else {
    (void)snprintf(missing, sizeof missing,
                   "%s: %s, looked for as the linker does, in /usr/local/nvidia/lib64, "
                   "/usr/local/cuda/lib64 and /usr/lib/wsl/lib, is not here; %s",
                   what, names, remedy);
  }
}

static void load(void) {
  static const char *const driver_names[] = {"libcuda.so.1"};
  static const char *const lt_names[] = {"libcublasLt.so.13", "libcublasLt.so.12",
                                         "libcublasLt.so.11"};
  const char *absent = NULL;
  void *library = open_library(driver_names, 1);
  if (library == NULL) {
    say_absent("no NVIDIA GPU", "libcuda.so.1",
               "where there is a GPU, install NVIDIA's driver");
    return;
  }
#define SYSTOLE_CUDA_BIND(member, symbol, arguments) \
  bind(library, &runtime.driver.member, symbol, &absent);
  SYSTOLE_CUDA_DRIVER(SYSTOLE_CUDA_BIND)
#undef SYSTOLE_CUDA_BIND
  if (absent != NULL) {
    (void)snprintf(missing, sizeof missing,
                   "libcuda.so.1 has no %s; install a driver for CUDA 11 or later",
                   absent);
    return;
  }
  const cuda_result code = runtime.driver.init(0);
  int count = 0;
  if (code == CudaNoDevice ||
      (code == CudaSuccess &&
       (runtime.driver.device_count(&count) != CudaSuccess || count < 1))) {
    (void)snprintf(
        missing, sizeof missing,
        "no NVIDIA GPU: libcuda.so.1 is here and finds none (is one visible to "
        "this container, and is CUDA_VISIBLE_DEVICES right?)");
    return;
  }
  if (code != CudaSuccess) {
    (void)snprintf(missing, sizeof missing,
                   "NVIDIA's driver does not start: %s (%d); nvidia-smi says more",
                   systole_cuda_error(&runtime, code), code);
    return;
  }
  if (runtime.driver.driver_version(&runtime.driver_version) != CudaSuccess) {
    runtime.driver_version = 0;
  }

  library = open_library(lt_names, sizeof lt_names / sizeof lt_names[0]);
  if (library == NULL) {
    say_absent("there is a GPU and no cuBLAS", "libcublasLt.so.13, .12 or .11",
               "install CUDA's libcublas (Debian: libcublaslt11)");
    return;
  }
#define SYSTOLE_CUDA_BIND(member, symbol, arguments) \
  bind(library, &runtime.lt.member, symbol, &absent);
  SYSTOLE_CUDA_LT(SYSTOLE_CUDA_BIND)
#undef SYSTOLE_CUDA_BIND
  if (absent != NULL) {
    (void)snprintf(missing, sizeof missing,
                   "libcublasLt has no %s; install that of CUDA 11 or later", absent);
  }
}

const systole_cuda_runtime *systole_cuda(const char **why) {
  pthread_once(&once, load);
  *why = missing;
  return missing[0] == '\0' ? &runtime : NULL;
}

const char *systole_cuda_error(const systole_cuda_runtime *cuda, cuda_result code) {
  const char *name = NULL;
  return cuda->driver.error_name(code, &name) == CudaSuccess && name != NULL
             ? name
             : "an unknown error";
}

const char *systole_cuda_lt_error(lt_status status) {
  switch (status) {
    case LtNotInitialised:
      return "CUBLAS_STATUS_NOT_INITIALIZED";
    case LtAllocFailed:
      return "CUBLAS_STATUS_ALLOC_FAILED";
    case LtInvalidValue:
      return "CUBLAS_STATUS_INVALID_VALUE";
    case LtArchMismatch:
      return "CUBLAS_STATUS_ARCH_MISMATCH";
    case LtExecutionFailed:
      return "CUBLAS_STATUS_EXECUTION_FAILED";
    case LtInternalError:
      return "CUBLAS_STATUS_INTERNAL_ERROR";
    case LtNotSupported:
      return "CUBLAS_STATUS_NOT_SUPPORTED";
    default:
      return "an unknown status";
  }
}

systole_status systole_cuda_status(const systole_cuda_runtime *cuda, cuda_result code,
                                   const char *what) {
  if (code == CudaSuccess) return SYSTOLE_OK;
  return systole_fail(
      code == CudaOutOfMemory ? SYSTOLE_ERR_DEVICE_MEMORY : SYSTOLE_ERR_DEVICE,
      "CUDA could not %s: %s (%d)", what, systole_cuda_error(cuda, code), code);
}

systole_status systole_cuda_lt_status(lt_status status, const char *what) {
  if (status == LtSuccess) return SYSTOLE_OK;
  return systole_fail(
      status == LtAllocFailed ? SYSTOLE_ERR_DEVICE_MEMORY : SYSTOLE_ERR_DEVICE,
      "cuBLASLt could not %s: %s (%d)", what, systole_cuda_lt_error(status), status);
}
