/* libOpenCL, bound at run time, so that one program works with and without it. */
#ifndef SYSTOLE_OPENCL_RUNTIME_H
#define SYSTOLE_OPENCL_RUNTIME_H

#define CL_TARGET_OPENCL_VERSION 120
#include <CL/cl.h>

#include "systole/systole.h"

/* Every function that is called; all are of OpenCL 1.2. */
#define SYSTOLE_OPENCL_FUNCTIONS(X) \
  X(GetPlatformIDs)                 \
  X(GetPlatformInfo)                \
  X(GetDeviceIDs)                   \
  X(GetDeviceInfo)                  \
  X(CreateContext)                  \
  X(ReleaseContext)                 \
  X(CreateCommandQueue)             \
  X(ReleaseCommandQueue)            \
  X(CreateProgramWithSource)        \
  X(BuildProgram)                   \
  X(GetProgramBuildInfo)            \
  X(ReleaseProgram)                 \
  X(CreateKernel)                   \
  X(ReleaseKernel)                  \
  X(SetKernelArg)                   \
  X(CreateBuffer)                   \
  X(ReleaseMemObject)               \
  X(EnqueueWriteBuffer)             \
  X(EnqueueReadBuffer)              \
  X(EnqueueNDRangeKernel)           \
  X(GetEventProfilingInfo)          \
  X(ReleaseEvent)                   \
  X(Finish)

#define SYSTOLE_OPENCL_MEMBER(name) __typeof__(cl##name) *name;
typedef struct systole_opencl_runtime {
  SYSTOLE_OPENCL_FUNCTIONS(SYSTOLE_OPENCL_MEMBER)
} systole_opencl_runtime;
#undef SYSTOLE_OPENCL_MEMBER

/* The library's functions, loaded once; NULL, with the reason in *why (static storage),
 * when it is not here. It stays loaded: drivers do not survive being unloaded. */
const systole_opencl_runtime *systole_opencl(const char **why);

/* Stores "OpenCL could not <what>: <name> (<code>)"; returns DEVICE_MEMORY or DEVICE. */
systole_status systole_opencl_failed(cl_int code, const char *what);

/* How long the command of a finished event took, by the device's clock; releases the
 * event. 0 for NULL. */
double systole_opencl_event_seconds(cl_event event);

/* "CL_OUT_OF_RESOURCES" of -5; "an unknown error" of others. */
const char *systole_opencl_error(cl_int code);

#endif
