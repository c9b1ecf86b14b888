#include "runtime.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "support/error.h"

static systole_opencl_runtime runtime;
static const char *missing = "";
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* ISO C has no cast from an object's to a function's address; POSIX promises the bytes.
 */
static int bind(void *library, void *function, const char *name) {
  void *address = dlsym(library, name);
  memcpy(function, &address, sizeof address);
  return address != NULL;
}

static void load(void) {
  void *library = dlopen("libOpenCL.so.1", RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    missing =
        "libOpenCL.so.1 is not installed; install ocl-icd-libopencl1 and the driver of "
        "your device (pocl-opencl-icd computes on the CPU, for tests)";
    return;
  }
  int complete = 1;
#define SYSTOLE_OPENCL_BIND(name) complete &= bind(library, &runtime.name, "cl" #name);
  SYSTOLE_OPENCL_FUNCTIONS(SYSTOLE_OPENCL_BIND)
#undef SYSTOLE_OPENCL_BIND
  if (!complete) {
    missing = "libOpenCL.so.1 is older than OpenCL 1.2; install ocl-icd-libopencl1";
  }
}

const systole_opencl_runtime *systole_opencl(const char **why) {
  pthread_once(&once, load);
  *why = missing;
  return missing[0] == '\0' ? &runtime : NULL;
}

const char *systole_opencl_error(cl_int code) {
  static const struct {
    cl_int code;
    const char *name;
  } names[] = {{CL_DEVICE_NOT_FOUND, "CL_DEVICE_NOT_FOUND"},
               {CL_DEVICE_NOT_AVAILABLE, "CL_DEVICE_NOT_AVAILABLE"},
               {CL_COMPILER_NOT_AVAILABLE, "CL_COMPILER_NOT_AVAILABLE"},
               {CL_MEM_OBJECT_ALLOCATION_FAILURE, "CL_MEM_OBJECT_ALLOCATION_FAILURE"},
               {CL_OUT_OF_RESOURCES, "CL_OUT_OF_RESOURCES"},
               {CL_OUT_OF_HOST_MEMORY, "CL_OUT_OF_HOST_MEMORY"},
               {CL_BUILD_PROGRAM_FAILURE, "CL_BUILD_PROGRAM_FAILURE"},
               {CL_INVALID_VALUE, "CL_INVALID_VALUE"},
               {CL_INVALID_DEVICE, "CL_INVALID_DEVICE"},
               {CL_INVALID_WORK_GROUP_SIZE, "CL_INVALID_WORK_GROUP_SIZE"},
               {CL_INVALID_BUFFER_SIZE, "CL_INVALID_BUFFER_SIZE"},
               {-1001, "CL_PLATFORM_NOT_FOUND_KHR"}};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    if (names[i].code == code) return names[i].name;
  }
  return "an unknown error";
}

systole_status systole_opencl_failed(cl_int code, const char *what) {
  const int memory =
      code == CL_MEM_OBJECT_ALLOCATION_FAILURE || code == CL_INVALID_BUFFER_SIZE;
  return systole_fail(memory ? SYSTOLE_ERR_DEVICE_MEMORY : SYSTOLE_ERR_DEVICE,
                      "OpenCL could not %s: %s (%d)", what, systole_opencl_error(code),
                      code);
}

double systole_opencl_event_seconds(cl_event event) {
  cl_ulong start = 0, end = 0;
  if (event == NULL) return 0;
  runtime.GetEventProfilingInfo(event, CL_PROFILING_COMMAND_START, sizeof start, &start,
                                NULL);
  runtime.GetEventProfilingInfo(event, CL_PROFILING_COMMAND_END, sizeof end, &end, NULL);
  runtime.ReleaseEvent(event);
  return end > start ? 1e-9 * (double)(end - start) : 0;
}
