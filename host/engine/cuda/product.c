#include "product.h"

#include <stdlib.h>
#include <string.h>

#include "engine/format.h"
#include "support/clock.h"
#include "support/error.h"
#include "support/memory.h"

enum {
  /* Bytes of A or of C that travel at a time: long against the cost of a copy's start,
   * small enough to be held by any machine twice. */
  SliceBytes = 64 << 20,
  SumBytes = 4
};

/* ---- weights -------------------------------------------------------------------------
 */

void systole_cuda_weights_free(systole_cuda_weights *weights) {
  if (weights->room == NULL) return;
  (void)systole_cuda_room_use(weights->room);
  for (int i = 0; i < SystoleCudaPlans; i++) {
    systole_cuda_plan_discard(&weights->plans[i], weights->room->cuda);
  }
  if (weights->b != 0) weights->room->cuda->driver.release(weights->b);
  memset(weights, 0, sizeof *weights);
}

/* One element of B in the room's format. */
static void put(void *to, systole_format format, const void *from, int64_t at) {
  if (format == SYSTOLE_FORMAT_S8) {
    *(int8_t *)to = ((const int8_t *)from)[at];
  } else if (format == SYSTOLE_FORMAT_BF16 || format == SYSTOLE_FORMAT_F16) {
    const float value = ((const float *)from)[at];
    *(uint16_t *)to =
        format == SYSTOLE_FORMAT_BF16 ? systole_bf16_of(value) : systole_f16_of(value);
  } else {
    *(float *)to = ((const float *)from)[at];
  }
}

/* B [k][ldb] -> [n_padded][k_padded], in squares that stay in the cache. */
static void transpose(unsigned char *to, const systole_cuda_weights *w, const void *b,
                      int64_t ldb) {
  enum { Side = 32 };
  const systole_format format = w->room->format;
  const int64_t bytes = systole_format_bytes(format);
  for (int64_t k0 = 0; k0 < w->k; k0 += Side) {
    for (int64_t j0 = 0; j0 < w->n; j0 += Side) {
      for (int64_t k = k0; k < k0 + Side && k < w->k; k++) {
        for (int64_t j = j0; j < j0 + Side && j < w->n; j++) {
          put(to + (j * w->k_padded + k) * bytes, format, b, k * ldb + j);
        }
      }
    }
  }
}

systole_status systole_cuda_weights_make(systole_cuda_weights *out,
                                         systole_cuda_room *room, int64_t n, int64_t k,
                                         const void *b, int64_t ldb) {
  const cuda_driver *driver = &room->cuda->driver;
  void *packed = NULL;
  out->room = room;
  out->n = n;
  out->k = k;
  out->n_padded = systole_cuda_padded(n);
  out->k_padded = systole_cuda_padded(k);
  uint64_t row_bytes = 0, bytes = 0;
  if (!systole_multiply(&row_bytes, (uint64_t)out->k_padded,
                        (uint64_t)systole_format_bytes(room->format)) ||
      !systole_multiply(&bytes, row_bytes, (uint64_t)out->n_padded)) {
    return systole_fail(SYSTOLE_ERR_DEVICE_MEMORY,
                        "weights of %lld x %lld are larger than any memory", (long long)k,
                        (long long)n);
  }
  systole_status status = systole_cuda_room_use(room);
  if (status == SYSTOLE_OK) {
    const cuda_result code = driver->allocate(&out->b, bytes);
    if (code == CudaOutOfMemory) {
      status =
          systole_fail(SYSTOLE_ERR_DEVICE_MEMORY,
                       "weights of %llu bytes do not fit on %s (%llu MiB, part of it "
                       "in use)",
                       (unsigned long long)bytes, room->device.name,
                       (unsigned long long)(room->device.memory_bytes >> 20));
    } else {
      status = systole_cuda_status(room->cuda, code, "allocate weights");
    }
  }
  if (status == SYSTOLE_OK) {
    status = systole_allocate_zeroed(&packed, bytes, 1, "weights on their way");
  }
  if (status == SYSTOLE_OK) {
    transpose(packed, out, b, ldb);
    status = systole_cuda_status(room->cuda,
                                 driver->to_device(out->b, packed, bytes, room->stream),
                                 "copy weights to the device");
    /* Also after a failure: what has been enqueued reads from `packed`. */
    const cuda_result waited = driver->stream_wait(room->stream);
    if (status == SYSTOLE_OK) {
      status = systole_cuda_status(room->cuda, waited, "copy weights to the device");
    }
  }
  systole_release(packed);
  return status;
}

/* ---- rows ----------------------------------------------------------------------------
 */

/* The plan for so many rows, made if need be; its buffers must be large enough. */
static systole_status find_plan(systole_cuda_plan **out, systole_cuda_weights *w,
                                int64_t m, systole_cuda_times *times) {
  systole_cuda_plan *oldest = &w->plans[0];
  for (int i = 0; i < SystoleCudaPlans; i++) {
    systole_cuda_plan *at = &w->plans[i];
    if (at->matmul != NULL && at->m == m) {
      at->used = ++w->uses;
      *out = at;
      return SYSTOLE_OK;
    }
    if (at->used < oldest->used) oldest = at;
  }
  const double began = systole_wall_seconds();
  systole_cuda_plan_discard(oldest, w->room->cuda);
  const systole_status status =
      systole_cuda_plan_make(oldest, w->room, m, w->n_padded, w->k_padded,
                             w->room->a.device, w->b, w->room->c.device);
  times->plan_s += systole_wall_seconds() - began;
  if (status != SYSTOLE_OK) return status;
  oldest->used = ++w->uses;
  *out = oldest;
  return SYSTOLE_OK;
}

/* Rows of A -> [m_padded][k_padded] in the format, zeros where nothing is. */
static void pack_rows(unsigned char *to, const systole_cuda_weights *w, int64_t rows,
                      int64_t m_padded, const void *a, int64_t lda) {
  const systole_format format = w->room->format;
  const size_t bytes = (size_t)systole_format_bytes(format);
  const size_t row = (size_t)w->k_padded * bytes, used = (size_t)w->k * bytes;
  for (int64_t i = 0; i < m_padded; i++) {
    unsigned char *at = to + (size_t)i * row;
    if (i >= rows) {
      memset(at, 0, row);
      continue;
    }
    if (format == SYSTOLE_FORMAT_S8) {
      memcpy(at, (const int8_t *)a + i * lda, used);
    } else if (format == SYSTOLE_FORMAT_BF16 || format == SYSTOLE_FORMAT_F16) {
      systole_format_round((uint16_t *)(void *)at, w->k_padded, format,
                           (const float *)a + i * lda, lda, 1, w->k);
    } else {
      memcpy(at, (const float *)a + i * lda, used);
    }
    memset(at + used, 0, row - used);
  }
}

/* Adds the milliseconds between two events. */
static cuda_result add_span(double *seconds, const systole_cuda_room *room, int from,
                            int to) {
  float ms = 0;
  const cuda_result code =
      room->cuda->driver.event_elapsed(&ms, room->events[from], room->events[to]);
  *seconds += 1e-3 * (double)ms;
  return code;
}

/* Rows `first` ... of the product: there, through the plan, and back into room->c.host.
 */
static systole_status run_slice(systole_cuda_weights *w, int64_t rows, const void *a,
                                int64_t lda, systole_cuda_times *times) {
  systole_cuda_room *room = w->room;
  const cuda_driver *driver = &room->cuda->driver;
  const int64_t m_padded = systole_cuda_padded(rows);
  const size_t a_bytes =
      (size_t)m_padded * (size_t)w->k_padded * (size_t)systole_format_bytes(room->format);
  const size_t c_bytes = (size_t)m_padded * (size_t)w->n_padded * SumBytes;
  systole_status status =
      systole_cuda_buffer_grow(&room->a, room, a_bytes, "activations");
  if (status == SYSTOLE_OK) {
    status = systole_cuda_buffer_grow(&room->c, room, c_bytes, "results");
  }
  if (status != SYSTOLE_OK) return status;
  pack_rows(room->a.host, w, rows, m_padded, a, lda);

  /* First, for a new plan tries itself out in the same buffers and with the same events.
   */
  systole_cuda_plan *plan = NULL;
  status = find_plan(&plan, w, m_padded, times);
  if (status != SYSTOLE_OK) return status;
  cuda_result code = driver->event_record(room->events[0], room->stream);
  if (code == CudaSuccess) {
    code = driver->to_device(room->a.device, room->a.host, a_bytes, room->stream);
  }
  if (code == CudaSuccess) code = driver->event_record(room->events[1], room->stream);
  status = systole_cuda_status(room->cuda, code, "copy activations to the device");
  if (status == SYSTOLE_OK) {
    status = systole_cuda_plan_run(plan, room, room->a.device, w->b, room->c.device);
  }
  if (status == SYSTOLE_OK) {
    code = driver->event_record(room->events[2], room->stream);
    if (code == CudaSuccess) {
      code = driver->to_host(room->c.host, room->c.device,
                             (size_t)rows * (size_t)w->n_padded * SumBytes, room->stream);
    }
    if (code == CudaSuccess) code = driver->event_record(room->events[3], room->stream);
    status = systole_cuda_status(room->cuda, code, "copy results back");
  }
  /* Also after a failure: the buffers are free to be used again only then. */
  code = driver->stream_wait(room->stream);
  if (status == SYSTOLE_OK) status = systole_cuda_status(room->cuda, code, "multiply");
  if (status != SYSTOLE_OK) return status;
  code = add_span(&times->transfer_s, room, 0, 1);
  if (code == CudaSuccess) code = add_span(&times->compute_s, room, 1, 2);
  if (code == CudaSuccess) code = add_span(&times->transfer_s, room, 2, 3);
  return systole_cuda_status(room->cuda, code, "tell the time");
}

/* Rows that fit into SliceBytes of A and of C, a multiple of the padding. */
static int64_t slice_rows(const systole_cuda_weights *w) {
  const int64_t a_row = w->k_padded * systole_format_bytes(w->room->format);
  const int64_t c_row = w->n_padded * SumBytes;
  const int64_t rows = SliceBytes / (a_row > c_row ? a_row : c_row);
  return rows < SystoleCudaPad ? SystoleCudaPad : rows / SystoleCudaPad * SystoleCudaPad;
}

systole_status systole_cuda_multiply(systole_cuda_weights *weights, int64_t m,
                                     const void *a, int64_t lda, systole_cuda_sink *sink,
                                     void *user, systole_cuda_times *times) {
  const int64_t step = slice_rows(weights);
  const int64_t element = weights->room->format == SYSTOLE_FORMAT_S8 ? 1 : 4;
  systole_status status = systole_cuda_room_use(weights->room);
  for (int64_t i = 0; i < m && status == SYSTOLE_OK; i += step) {
    const int64_t rows = m - i < step ? m - i : step;
    status = run_slice(weights, rows, (const unsigned char *)a + i * lda * element, lda,
                       times);
    if (status == SYSTOLE_OK &&
        sink(user, i, rows, weights->room->c.host, weights->n_padded) != 0) {
      status = SYSTOLE_ERR_INTERRUPTED;
    }
  }
  return status;
}
