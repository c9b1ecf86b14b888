/* A pretended NVIDIA GPU: libcuda.so.1 and libcublasLt.so.12 that compute on the CPU, for
 * tests of everything around them. They keep to the documentation where that is strict:
 * memory ranges, contexts, forms of operands. What they cannot show is whether the real
 * libraries agree with it. */
#ifndef SYSTOLE_TEST_FAKE_GPU_H
#define SYSTOLE_TEST_FAKE_GPU_H

#include <stddef.h>
#include <stdint.h>

/* The nth call (from 1) of the function fails with that code; NULL: none does. */
typedef void fake_gpu_fail_function(const char *name, int nth, int code);
/* Calls of a function so far; NULL: things alive (memory, streams, events, handles ...).
 */
typedef int fake_gpu_count_function(const char *name);
/* How cuBLASLt misbehaves. */
enum {
  FakeGpuGood,
  FakeGpuThroughFloat, /* int8 sums go through float */
  FakeGpuTf32,         /* float32 operands lose bits */
  FakeGpuNoWay,        /* proposes nothing */
  FakeGpuBroken,       /* proposes what does not run */
  FakeGpuHalfSums      /* sums are kept in 11 bits */
};
typedef void fake_gpu_mode_function(int mode);

void fake_gpu_fail(const char *name, int nth, int code);
int fake_gpu_count(const char *name);
void fake_gpu_mode(int mode);

/* For the other library: counts a call and says whether it fails; adds to what is alive;
 * 1 if all those bytes lie in one piece of device memory. */
int fake_gpu_enter(const char *name);
void fake_gpu_alive(int change);
int fake_gpu_mode_now(void);
int fake_gpu_owns(uint64_t address, size_t bytes);
int fake_gpu_in_context(void);

#endif
