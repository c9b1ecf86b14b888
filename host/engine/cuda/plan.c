#include "plan.h"

#include <string.h>

#include "support/error.h"

enum {
  Proposals = 8, /* that cuBLASLt is asked for */
  Runs = 3,      /* of each, the fastest counts */
  LongMs = 20    /* so long a run is not repeated: others hardly disturb it */
};

static int type_of(systole_format format) {
  switch (format) {
    case SYSTOLE_FORMAT_S8:
      return LtS8;
    case SYSTOLE_FORMAT_BF16:
      return LtBf16;
    case SYSTOLE_FORMAT_F16:
      return LtF16;
    default:
      return LtF32;
  }
}

static int compute_of(systole_format format) {
  switch (format) {
    case SYSTOLE_FORMAT_S8:
      return LtComputeS32;
    case SYSTOLE_FORMAT_TF32:
      return LtComputeTf32;
    default:
      return LtComputeF32; /* float32 sums of the shorter formats, too */
  }
}

void systole_cuda_plan_discard(systole_cuda_plan *plan,
                               const systole_cuda_runtime *cuda) {
  lt_layout layouts[] = {plan->a, plan->b, plan->c};
  for (size_t i = 0; i < sizeof layouts / sizeof layouts[0]; i++) {
    if (layouts[i] != NULL) cuda->lt.layout_destroy(layouts[i]);
  }
  if (plan->matmul != NULL) cuda->lt.matmul_destroy(plan->matmul);
  memset(plan, 0, sizeof *plan);
}

static lt_status describe(systole_cuda_plan *plan, const systole_cuda_room *room) {
  const cuda_lt *lt = &room->cuda->lt;
  const int type = type_of(room->format);
  const int sums = room->format == SYSTOLE_FORMAT_S8 ? LtS32 : LtF32;
  const int32_t transposed = LtTransposed;
  const uint64_t m = (uint64_t)plan->m, n = (uint64_t)plan->n, k = (uint64_t)plan->k;
  lt_status s = lt->matmul_create(&plan->matmul, compute_of(room->format), sums);
  if (s == LtSuccess) {
    s = lt->matmul_set(plan->matmul, LtTransposeA, &transposed, sizeof transposed);
  }
  /* cuBLASLt's first operand is B, its second A. */
  if (s == LtSuccess) s = lt->layout_create(&plan->b, type, k, n, plan->k);
  if (s == LtSuccess) s = lt->layout_create(&plan->a, type, k, m, plan->k);
  if (s == LtSuccess) s = lt->layout_create(&plan->c, sums, n, m, plan->n);
  return s;
}

systole_status systole_cuda_plan_run(const systole_cuda_plan *plan,
                                     const systole_cuda_room *room, cuda_address a,
                                     cuda_address b, cuda_address c) {
  static const int32_t one_s32 = 1, zero_s32 = 0;
  static const float one_f32 = 1, zero_f32 = 0;
  const int integers = room->format == SYSTOLE_FORMAT_S8;
  const void *one = integers ? (const void *)&one_s32 : (const void *)&one_f32;
  const void *zero = integers ? (const void *)&zero_s32 : (const void *)&zero_f32;
  return systole_cuda_lt_status(
      room->cuda->lt.multiply(room->lt, plan->matmul, one, b, plan->b, a, plan->a, zero,
                              c, plan->c, c, plan->c, &plan->algorithm, room->workspace,
                              plan->workspace_bytes, room->stream),
      "multiply");
}

/* Milliseconds of the fastest run; negative when this proposal does not work here. */
static float try_out(const systole_cuda_plan *plan, const systole_cuda_room *room,
                     cuda_address a, cuda_address b, cuda_address c) {
  const cuda_driver *driver = &room->cuda->driver;
  float best = -1;
  for (int run = 0; run < Runs; run++) {
    float ms = 0;
    if (driver->event_record(room->events[0], room->stream) != CudaSuccess ||
        systole_cuda_plan_run(plan, room, a, b, c) != SYSTOLE_OK ||
        driver->event_record(room->events[1], room->stream) != CudaSuccess ||
        driver->stream_wait(room->stream) != CudaSuccess ||
        driver->event_elapsed(&ms, room->events[0], room->events[1]) != CudaSuccess) {
      return -1;
    }
    if (best < 0 || ms < best) best = ms;
    if (ms > (float)LongMs) break;
  }
  return best;
}

systole_status systole_cuda_plan_make(systole_cuda_plan *out,
                                      const systole_cuda_room *room, int64_t m, int64_t n,
                                      int64_t k, cuda_address a, cuda_address b,
                                      cuda_address c) {
  const cuda_lt *lt = &room->cuda->lt;
  lt_preference preference = NULL;
  lt_choice choices[Proposals];
  int count = 0, best = -1;
  float best_ms = 0;
  memset(choices, 0, sizeof choices);
  out->m = m;
  out->n = n;
  out->k = k;
  lt_status s = describe(out, room);
  if (s == LtSuccess) s = lt->preference_create(&preference);
  if (s == LtSuccess) {
    const uint64_t bytes = room->workspace_bytes;
    s = lt->preference_set(preference, LtMaxWorkspaceBytes, &bytes, sizeof bytes);
  }
  if (s == LtSuccess) {
    s = lt->choose(room->lt, out->matmul, out->b, out->a, out->c, out->c, preference,
                   Proposals, choices, &count);
  }
  systole_status status = systole_cuda_lt_status(s, "plan a product");
  if (status != SYSTOLE_OK) goto done;
  for (int i = 0; i < count; i++) {
    if (choices[i].state != LtSuccess) continue;
    if (choices[i].workspace_bytes > room->workspace_bytes) continue;
    out->algorithm = choices[i].algorithm;
    out->workspace_bytes = choices[i].workspace_bytes;
    const float ms = try_out(out, room, a, b, c);
    if (ms < 0 || (best >= 0 && ms >= best_ms)) continue;
    best = i;
    best_ms = ms;
  }
  if (best < 0) {
    status = systole_fail(SYSTOLE_ERR_UNSUPPORTED,
                          "cuBLASLt has no way to multiply %s of %lld x %lld x %lld on "
                          "%s (%d proposed, none "
                          "of them ran)",
                          systole_format_name(room->format), (long long)m, (long long)n,
                          (long long)k, room->device.name, count);
    goto done;
  }
  out->algorithm = choices[best].algorithm;
  out->workspace_bytes = choices[best].workspace_bytes;

done:
  if (preference != NULL) lt->preference_destroy(preference);
  if (status != SYSTOLE_OK) systole_cuda_plan_discard(out, room->cuda);
  return status;
}
