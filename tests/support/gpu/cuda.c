#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/cuda/api.h"
#include "fake.h"

enum {
  InvalidValue = 1,
  InvalidContext = 201,
  InvalidHandle = 400,
  Names = 64,
  Pieces = 256,
};

static struct {
  char name[48];
  int calls;
} counts[Names];
static char failing[48];
static int failing_nth, failing_code, alive, mode;
static int context_users[8];
static _Thread_local cuda_context current;

struct CUctx_st {
  int device;
};
struct CUstream_st {
  int unused;
};
struct CUevent_st {
  int recorded;
  double seconds;
};
static struct CUctx_st contexts[8];

/* Device memory and pinned memory are pieces of this machine's. */
static struct {
  unsigned char *start;
  size_t bytes;
  int host;
} pieces[Pieces];

void fake_gpu_fail(const char *name, int nth, int code) {
  failing[0] = '\0';
  if (name != NULL) (void)snprintf(failing, sizeof failing, "%s", name);
  failing_nth = nth;
  failing_code = code;
  memset(counts, 0, sizeof counts);
}

int fake_gpu_count(const char *name) {
  if (name == NULL) return alive;
  for (int i = 0; i < Names && counts[i].name[0] != '\0'; i++) {
    if (strcmp(counts[i].name, name) == 0) return counts[i].calls;
  }
  return 0;
}

void fake_gpu_mode(int new_mode) { mode = new_mode; }
int fake_gpu_mode_now(void) { return mode; }
void fake_gpu_alive(int change) { alive += change; }
int fake_gpu_in_context(void) { return current != NULL; }

int fake_gpu_enter(const char *name) {
  for (int i = 0; i < Names; i++) {
    if (counts[i].name[0] == '\0') {
      (void)snprintf(counts[i].name, sizeof counts[i].name, "%s", name);
    }
    if (strcmp(counts[i].name, name) != 0) continue;
    counts[i].calls++;
    return strcmp(failing, name) == 0 && counts[i].calls == failing_nth ? failing_code
                                                                        : 0;
  }
  return 0;
}

static int find(const void *start, size_t bytes, int host) {
  for (int i = 0; i < Pieces; i++) {
    if (pieces[i].start == NULL || pieces[i].host != host) continue;
    const unsigned char *at = start;
    if (at >= pieces[i].start && at + bytes <= pieces[i].start + pieces[i].bytes)
      return i;
  }
  return -1;
}

int fake_gpu_owns(uint64_t address, size_t bytes) {
  return find((const void *)(uintptr_t)address, bytes, 0) >= 0;
}

static int allocate(void **out, size_t bytes, int host) {
  const char *limit = getenv("FAKE_GPU_MEMORY");
  size_t used = bytes;
  int free_piece = -1;
  *out = NULL;
  if (bytes == 0) return InvalidValue;
  for (int i = 0; i < Pieces; i++) {
    if (pieces[i].start == NULL) free_piece = i;
    if (pieces[i].start != NULL && !pieces[i].host) used += pieces[i].bytes;
  }
  if (!host && limit != NULL && used > strtoull(limit, NULL, 10)) return CudaOutOfMemory;
  if (free_piece < 0) return CudaOutOfMemory;
  if (posix_memalign(out, 256, bytes) != 0) return CudaOutOfMemory;
  memset(*out, 0xa5, bytes < 1 << 20 ? bytes : 1 << 20); /* nothing is zero by chance */
  pieces[free_piece].start = *out;
  pieces[free_piece].bytes = bytes;
  pieces[free_piece].host = host;
  alive++;
  return CudaSuccess;
}

static int release(void *start, int host) {
  for (int i = 0; i < Pieces; i++) {
    if (pieces[i].start == NULL || pieces[i].start != start || pieces[i].host != host)
      continue;
    free(start);
    memset(&pieces[i], 0, sizeof pieces[i]);
    alive--;
    return CudaSuccess;
  }
  return InvalidValue;
}

#define ENTER(name)                          \
  do {                                       \
    const int failed = fake_gpu_enter(name); \
    if (failed != 0) return failed;          \
  } while (0)
#define ENTER_CONTEXT(name)                     \
  do {                                          \
    ENTER(name);                                \
    if (current == NULL) return InvalidContext; \
  } while (0)

static int device_count(void) {
  const char *text = getenv("FAKE_GPU_DEVICES");
  return text != NULL ? atoi(text) : 1;
}

int cuInit(unsigned flags) {
  ENTER("cuInit");
  const char *code = getenv("FAKE_GPU_INIT");
  if (code != NULL) return atoi(code);
  return flags == 0 ? device_count() > 0 ? CudaSuccess : CudaNoDevice : InvalidValue;
}
int cuDriverGetVersion(int *version) {
  ENTER("cuDriverGetVersion");
  *version = 12040;
  return CudaSuccess;
}
int cuGetErrorName(cuda_result code, const char **name) {
  *name = code == CudaOutOfMemory  ? "CUDA_ERROR_OUT_OF_MEMORY"
          : code == InvalidContext ? "CUDA_ERROR_INVALID_CONTEXT"
          : code == 803            ? "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"
          : code == 719            ? "CUDA_ERROR_LAUNCH_FAILED"
                                   : NULL;
  return *name != NULL ? CudaSuccess : InvalidValue;
}
int cuDeviceGetCount(int *count) {
  ENTER("cuDeviceGetCount");
  *count = device_count();
  return CudaSuccess;
}
int cuDeviceGet(cuda_device *out, int index) {
  ENTER("cuDeviceGet");
  *out = index + 100; /* not the index itself */
  return index >= 0 && index < device_count() ? CudaSuccess : 101;
}
int cuDeviceGetName(char *name, int bytes, cuda_device device) {
  ENTER("cuDeviceGetName");
  (void)snprintf(name, (size_t)bytes, "Pretended GPU %c", 'A' + device - 100);
  return CudaSuccess;
}
int cuDeviceTotalMem_v2(size_t *bytes, cuda_device device) {
  ENTER("cuDeviceTotalMem_v2");
  (void)device;
  *bytes = (size_t)256 << 20;
  return CudaSuccess;
}
int cuDeviceGetAttribute(int *value, int attribute, cuda_device device) {
  ENTER("cuDeviceGetAttribute");
  const char *capability = getenv("FAKE_GPU_CAPABILITY");
  const int of = capability != NULL ? atoi(capability) : 90;
  (void)device;
  *value = attribute == CudaCapabilityMajor   ? of / 10
           : attribute == CudaCapabilityMinor ? of % 10
                                              : 4;
  return CudaSuccess;
}
int cuDeviceGetPCIBusId(char *address, int bytes, cuda_device device) {
  ENTER("cuDeviceGetPCIBusId");
  (void)snprintf(address, (size_t)bytes, "0000:%02x:00.0", 0x3b + device - 100);
  return CudaSuccess;
}
int cuDevicePrimaryCtxRetain(cuda_context *out, cuda_device device) {
  ENTER("cuDevicePrimaryCtxRetain");
  contexts[device - 100].device = device;
  context_users[device - 100]++;
  alive++;
  *out = &contexts[device - 100];
  return CudaSuccess;
}
int cuDevicePrimaryCtxRelease_v2(cuda_device device) {
  ENTER("cuDevicePrimaryCtxRelease_v2");
  if (context_users[device - 100] == 0) return InvalidContext;
  context_users[device - 100]--;
  alive--;
  return CudaSuccess;
}
int cuCtxSetCurrent(cuda_context context) {
  ENTER("cuCtxSetCurrent");
  current = context;
  return CudaSuccess;
}
int cuStreamCreate(cuda_stream *out, unsigned flags) {
  ENTER_CONTEXT("cuStreamCreate");
  (void)flags;
  *out = calloc(1, sizeof **out);
  alive++;
  return CudaSuccess;
}
int cuStreamDestroy_v2(cuda_stream stream) {
  ENTER_CONTEXT("cuStreamDestroy_v2");
  free(stream);
  alive--;
  return CudaSuccess;
}
int cuStreamSynchronize(cuda_stream stream) {
  ENTER_CONTEXT("cuStreamSynchronize");
  return stream != NULL ? CudaSuccess : InvalidHandle;
}
int cuEventCreate(cuda_event *out, unsigned flags) {
  ENTER_CONTEXT("cuEventCreate");
  *out = calloc(1, sizeof **out);
  alive++;
  return flags == 0 ? CudaSuccess : InvalidValue;
}
int cuEventDestroy_v2(cuda_event event) {
  ENTER_CONTEXT("cuEventDestroy_v2");
  free(event);
  alive--;
  return CudaSuccess;
}
int cuEventRecord(cuda_event event, cuda_stream stream) {
  ENTER_CONTEXT("cuEventRecord");
  struct timespec now;
  if (stream == NULL || event == NULL) return InvalidHandle;
  clock_gettime(CLOCK_MONOTONIC, &now);
  event->seconds = (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
  event->recorded = 1;
  return CudaSuccess;
}
int cuEventElapsedTime(float *milliseconds, cuda_event from, cuda_event to) {
  ENTER_CONTEXT("cuEventElapsedTime");
  if (!from->recorded || !to->recorded) return InvalidHandle;
  *milliseconds = (float)(1e3 * (to->seconds - from->seconds));
  return CudaSuccess;
}
int cuMemAlloc_v2(cuda_address *out, size_t bytes) {
  ENTER_CONTEXT("cuMemAlloc_v2");
  void *start = NULL;
  const int code = allocate(&start, bytes, 0);
  *out = (cuda_address)(uintptr_t)start;
  return code;
}
/* What is freed is gone, whatever is returned. */
int cuMemFree_v2(cuda_address address) {
  if (current == NULL) return InvalidContext;
  const int code = release((void *)(uintptr_t)address, 0);
  ENTER("cuMemFree_v2");
  return code;
}
int cuMemAllocHost_v2(void **out, size_t bytes) {
  ENTER_CONTEXT("cuMemAllocHost_v2");
  return allocate(out, bytes, 1);
}
int cuMemFreeHost(void *memory) {
  ENTER_CONTEXT("cuMemFreeHost");
  return release(memory, 1);
}
int cuMemcpyHtoDAsync_v2(cuda_address to, const void *from, size_t bytes,
                         cuda_stream stream) {
  ENTER_CONTEXT("cuMemcpyHtoDAsync_v2");
  if (stream == NULL) return InvalidHandle;
  if (!fake_gpu_owns(to, bytes)) return InvalidValue;
  memcpy((void *)(uintptr_t)to, from, bytes);
  return CudaSuccess;
}
int cuMemcpyDtoHAsync_v2(void *to, cuda_address from, size_t bytes, cuda_stream stream) {
  ENTER_CONTEXT("cuMemcpyDtoHAsync_v2");
  if (stream == NULL) return InvalidHandle;
  if (!fake_gpu_owns(from, bytes)) return InvalidValue;
  memcpy(to, (const void *)(uintptr_t)from, bytes);
  return CudaSuccess;
}
