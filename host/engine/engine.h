/* The engine seam: something that computes whole products. `accelerator` is one engine,
 * built on a card; cpu is another. One folder per row, tables are const, registered in
 * registry.c.
 */
#ifndef SYSTOLE_ENGINE_H
#define SYSTOLE_ENGINE_H

#include "engine/conv.h"
#include "systole/energy.h"
#include "systole/systole.h"

struct systole_card; /* card/card.h */
struct systole_card_ops;

typedef struct systole_engine systole_engine; /* each row defines its own */
typedef struct systole_engine_weights systole_engine_weights; /* likewise */

#define SYSTOLE_ENGINE_VERSION 1

typedef struct systole_engine_ops {
  uint32_t version; /* SYSTOLE_ENGINE_VERSION */
  /* "accelerator", "cpu", "gpu"; "functional" (of one device in a list): right results,
   * meaningless speed. */
  const char *kind;

  /* As in card.h: what this row offers here, usable or not, with the reason. */
  void (*list)(void (*add)(void *user, const systole_device_info *info), void *user);

  /* 1 if `name` ("cpu", "rtl:16") is for this row, whether usable or not. */
  int (*claims)(const char *name);

  systole_status (*open)(systole_engine **out, const char *name,
                         const systole_device_options *options);
  void (*close)(systole_engine *engine);
  systole_status (*geometry)(const systole_engine *engine, systole_geometry *out);

  /* Arguments are already checked (systole_gemm checks them once): n, k >= 0, ldb valid.
   * The epilogue is copied. n = 0 or k = 0 may come. */
  systole_status (*prepare)(systole_engine_weights **out, systole_engine *engine,
                            int64_t n, int64_t k, const int8_t *b, int64_t ldb,
                            const systole_epilogue *epilogue);
  void (*weights_free)(systole_engine_weights *weights);

  /* c: int32_t or int8_t as the epilogue says. Fills the fields of *stats that it knows
   * (macs, wall_s and cpu_s are the caller's); stats is never NULL and zeroed. */
  systole_status (*gemm)(const systole_engine_weights *weights, int64_t m,
                         const int8_t *a, int64_t lda, void *c, int64_t ldc,
                         systole_stats *stats);

  void (*set_progress)(systole_engine *engine, systole_progress progress, void *user);

  /* The card underneath; NULL for the others. For systole_buffer_* and systole_run. */
  const struct systole_card_ops *(*card_ops)(const systole_engine *engine,
                                             struct systole_card **card);

  /* Measured peak of the device on `threads` threads in GOP/s (register-only loop), and
   * which instruction; 0 and "" when it has none. May take up to 0.2 s at its first call.
   * NULL allowed. */
  double (*measured_peak_gops)(systole_engine *engine, const char **instruction);

  /* A convolution, batch >= 1, arguments checked; fills *stats as gemm does. */
  systole_status (*conv2d)(systole_engine *engine, const systole_conv_call *call,
                           systole_stats *stats);

  /* GB/s at which the device's threads read `bytes` of memory over and over; 0 when it is
   * not known. NULL allowed. */
  double (*measured_bandwidth_gbs)(systole_engine *engine, uint64_t bytes);

  /* 1: what stands behind the colon of a name chooses a kernel, and kernels have one
   * format; 0: it chooses a device. */
  int kernel_names;

  /* Rows that have float formats have the next three; prepare, gemm and conv2d are called
   * on devices of int8 alone. Rows without `format` have int8 alone. */
  systole_format (*format)(const systole_engine *engine);

  /* As prepare and gemm, for float32 operands, which are rounded to the format here.
   * What the rounding of A costs is host_share, not seconds: a network's activations
   * are in the format already. bias is copied; NULL: none. */
  systole_status (*prepare_f32)(systole_engine_weights **out, systole_engine *engine,
                                int64_t n, int64_t k, const float *b, int64_t ldb,
                                const float *bias);
  systole_status (*gemm_f32)(const systole_engine_weights *weights, int64_t m,
                             const float *a, int64_t lda, float *c, int64_t ldc,
                             systole_stats *stats);

  /* 1: the engine tells time and computes nothing; operands and results may be NULL and
   * are not touched. NULL: it always computes. */
  int (*timing_only)(const systole_engine *engine);

  /* Whose energy a product takes: what of this machine, and its PCIe address, "" when it
   * is not known. Runs of which the row tells no energy are modelled for it. NULL: the
   * row tells it itself (a CPU, an array). */
  void (*draws)(const systole_engine *engine, systole_energy_of *of,
                char address[SYSTOLE_ENERGY_ADDRESS]);
} systole_engine_ops;

const systole_engine_ops *const *systole_engine_rows(size_t *count);

extern const systole_engine_ops systole_engine_accelerator;
extern const systole_engine_ops systole_engine_cpu;
extern const systole_engine_ops systole_engine_cpu_float;
extern const systole_engine_ops systole_engine_cuda;
extern const systole_engine_ops systole_engine_opencl;
extern const systole_engine_ops systole_engine_opencl_float;

#endif
