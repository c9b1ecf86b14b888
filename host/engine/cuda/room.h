/* What an open GPU holds: context, stream, events, and buffers that grow as products ask
 * for them. */
#ifndef SYSTOLE_CUDA_ROOM_H
#define SYSTOLE_CUDA_ROOM_H

#include "choose.h"

enum {
  SystoleCudaEvents = 4,
  /* What cuBLASLt may use for splitting K; NVIDIA advises 32 MiB for Hopper (cuBLAS
   * documentation, cublasSetWorkspace). */
  SystoleCudaWorkspaceBytes = 32 << 20
};

/* Memory here, which the device reaches without a copy, and there. */
typedef struct systole_cuda_buffer {
  void *host;
  cuda_address device;
  size_t bytes;
} systole_cuda_buffer;

typedef struct systole_cuda_room {
  const systole_cuda_runtime *cuda;
  systole_cuda_device device;
  systole_format format;
  cuda_context context; /* the device's own, held */
  cuda_stream stream;
  cuda_event events[SystoleCudaEvents];
  lt_handle lt;
  cuda_address workspace;
  size_t workspace_bytes;
  systole_cuda_buffer a, c;
} systole_cuda_room;

/* *out is zeroed by the caller; close in every case. */
systole_status systole_cuda_room_open(systole_cuda_room *out,
                                      const systole_cuda_device *device,
                                      systole_format format);
void systole_cuda_room_close(systole_cuda_room *room);

/* Makes the calling thread's CUDA calls go to this device. */
systole_status systole_cuda_room_use(const systole_cuda_room *room);

/* At least `bytes` on both sides; what was in it is lost when it grows. `what` is for the
 * sentence: "activations". */
systole_status systole_cuda_buffer_grow(systole_cuda_buffer *buffer,
                                        const systole_cuda_room *room, size_t bytes,
                                        const char *what);

#endif
