/* Systole: matrix products on a systolic-array accelerator, simulated or on a card.
 *
 * Words: A is M x K, B is K x N, C is M x N, row-major; K is always the reduced
 * dimension. Leading dimensions count elements. One MAC is two operations.
 *
 * Every call that can fail returns a systole_status: 0 is good, failures are negative.
 * systole_last_error() then tells the story of the calling thread's last failure: what
 * was asked, what was found, what to do. Out-parameters come first and are NULL or 0 on
 * failure. Whoever receives an object through `T **out` frees it; every free function
 * accepts NULL. A handle is used by one thread at a time; different handles may be used
 * at once.
 */
#ifndef SYSTOLE_SYSTOLE_H
#define SYSTOLE_SYSTOLE_H

#include <stddef.h>
#include <stdint.h>

/* Marks what the shared library shows. */
#if defined(__GNUC__)
#define SYSTOLE_API __attribute__((visibility("default")))
#else
#define SYSTOLE_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum systole_status {
  SYSTOLE_OK = 0,
  SYSTOLE_ERR_ARGUMENT = -1,  /* a parameter or input is wrong; nothing was done */
  SYSTOLE_ERR_NOT_FOUND = -2, /* the device, library or file is not here */
  SYSTOLE_ERR_DEVICE = -3,    /* the device reported an error; the handle stays usable */
  SYSTOLE_ERR_TIMEOUT = -4,   /* no answer in time */
  SYSTOLE_ERR_DEVICE_MEMORY = -5, /* the device's memory is exhausted */
  SYSTOLE_ERR_HOST_MEMORY = -6,   /* this machine's memory is exhausted */
  SYSTOLE_ERR_IO = -7,            /* reading or writing a file failed */
  SYSTOLE_ERR_UNSUPPORTED = -8,   /* valid, but this device or build cannot do it */
  SYSTOLE_ERR_INTERRUPTED = -9,   /* the progress callback asked to stop */
  SYSTOLE_ERR_INTERNAL = -10      /* a fault of Systole itself */
} systole_status;

/* Short name of a status, e.g. "device memory exhausted". Never NULL; static storage. */
SYSTOLE_API const char *systole_status_name(systole_status status);

/* The calling thread's last failure as a sentence. Borrowed; valid until the thread's
 * next failing call. Empty, never NULL, when nothing has failed. */
SYSTOLE_API const char *systole_last_error(void);

/* ---- devices -------------------------------------------------------------------------
 */

typedef struct systole_device systole_device;

/* Called now and then during long work, from the calling thread. `done` of `total` in
 * useful MACs. A return value other than 0 ends the work with SYSTOLE_ERR_INTERRUPTED. */
typedef int (*systole_progress)(void *user, uint64_t done, uint64_t total);

typedef struct systole_device_options {
  uint32_t version; /* SYSTOLE_DEVICE_OPTIONS_VERSION */
  /* Simulated memory: a preset ("ideal", "ddr4", "hbm2"), or one with changes behind it,
   * "ideal+gmem1=34GB/s" (docs/model.md); NULL: ideal, or what a model's preset says. */
  const char *memory;
  uint64_t stall_seed; /* 0: no random stalls; else seeded stalls on every AXI channel */
  double clock_mhz;    /* clock assumed for a simulated device; 0: 300 */
  uint64_t memory_bytes;      /* simulated device memory; 0: the card's default */
  int check_protocol;         /* 1: AXI protocol checkers on (simulated devices) */
  const char *trace_path;     /* FST waveform of every run; NULL: none */
  uint64_t trace_first_cycle; /* window of the waveform, cycles of run trace_run */
  uint64_t trace_cycles;      /* 0: to the end */
  uint32_t timeout_ms;        /* longest silence of one run; 0: the card's default */
  int threads;                /* CPU engines: 0 means all */
  uint64_t trace_run;         /* run that the window belongs to, counted from 0 */
  const char *record_path;    /* writes down what is done with a card; NULL: nothing */
  uint64_t record_bytes;      /* limit of that file; 0: 1 GiB */
  const char *technology;     /* that an array's energy is modelled in: "45nm", ... (see
                                 systole/energy.h); NULL: 45nm simulated, fpga-16nm else */
  int timing_only; /* 1: cycles without data (model cards; others refuse): operands and
                    * results may be NULL and are not touched */
} systole_device_options;
#define SYSTOLE_DEVICE_OPTIONS_VERSION 1
#define SYSTOLE_DEVICE_OPTIONS_INIT                                                   \
  {                                                                                   \
    SYSTOLE_DEVICE_OPTIONS_VERSION, NULL, 0, 0.0, 0, 0, NULL, 0, 0, 0, 0, 0, NULL, 0, \
        NULL, 0                                                                       \
  }

/* Opens a device by name: "rtl:16", "rtl:64", "rtl:16:readable", "cpu", ...
 * options may be NULL. SYSTOLE_ERR_NOT_FOUND: unknown name, or library not built or
 * installed. */
SYSTOLE_API systole_status systole_device_open(systole_device **out, const char *name,
                                               const systole_device_options *options);
SYSTOLE_API void systole_device_close(systole_device *device);

/* Where the accelerator is reached by functions of the caller's: in a virtual platform,
 * on a board of one's own. Each returns SYSTOLE_OK or a status of its own choice, which
 * the call that needed it passes on; all are called from the thread that uses the device.
 * Initialise with SYSTOLE_BUS_INIT; copied when a device is opened. */
typedef struct systole_bus {
  uint32_t version; /* SYSTOLE_BUS_VERSION */
  const char *name; /* for messages; NULL: "systole". Only read while opening */
  void *user;       /* of the functions */
  /* A 32-bit register, by its offset (hw/README.md). */
  systole_status (*read_register)(void *user, uint32_t offset, uint32_t *value);
  systole_status (*write_register)(void *user, uint32_t offset, uint32_t value);
  /* Memory behind gmem0 (port 0) or gmem1 (1), at the addresses that the port uses. */
  systole_status (*read)(void *user, int port, uint64_t address, void *data,
                         uint64_t bytes);
  systole_status (*write)(void *user, int port, uint64_t address, const void *data,
                          uint64_t bytes);
  /* Waits for the interrupt, at most about `slice_ms`. NULL: registers are polled. */
  systole_status (*wait)(void *user, uint32_t slice_ms);
  /* What of either memory is free to be used: multiples of 4096, not at address 0. The
   * same base for both ports: one memory. */
  uint64_t memory_base[2], memory_bytes[2];
  double clock_mhz; /* of the accelerator; 0: 300 is assumed */
} systole_bus;
#define SYSTOLE_BUS_VERSION 1
#define SYSTOLE_BUS_INIT \
  { SYSTOLE_BUS_VERSION, NULL, NULL, NULL, NULL, NULL, NULL, NULL, {0, 0}, {0, 0}, 0.0 }

/* A device at the other end of `bus`. SYSTOLE_ERR_ARGUMENT: functions are missing, memory
 * makes no sense, or what answers is no Systole of this instruction set; a status of the
 * bus's functions. options may be NULL. */
SYSTOLE_API systole_status systole_device_open_on_bus(
    systole_device **out, const systole_bus *bus, const systole_device_options *options);

/* The name it was opened by. Borrowed. */
SYSTOLE_API const char *systole_device_name(const systole_device *device);

/* What a device multiplies. Sums of int8 products are int32 and exact modulo 2^32; sums
 * of the others are float32. A device has one format; the same machine in another format
 * is another device, whose name tells: "cpu" and "cpu-f32", "cuda:1" and "cuda-bf16:1".
 */
typedef enum systole_format {
  SYSTOLE_FORMAT_S8 = 0, /* int8 */
  SYSTOLE_FORMAT_F32,    /* IEEE 754 binary32 */
  SYSTOLE_FORMAT_TF32,   /* float32 operands of which 10 bits of the fraction count */
  SYSTOLE_FORMAT_BF16,   /* bfloat16 operands: 7 bits of the fraction */
  SYSTOLE_FORMAT_F16     /* IEEE 754 binary16 operands: 10 bits, up to 65504 */
} systole_format;
enum { SYSTOLE_FORMATS = 5 };

/* "int8", "f32", "tf32", "bf16", "fp16"; the last four are also what stands behind the
 * hyphen of a device's name. Static storage; "" for no format. */
SYSTOLE_API const char *systole_format_name(systole_format format);

/* Bytes of an operand: 1, 4 or 2. */
SYSTOLE_API int systole_format_bytes(systole_format format);

SYSTOLE_API systole_format systole_device_format(const systole_device *device);

/* The same of a name, whether there is such a device or not; int8 if it names none. */
SYSTOLE_API systole_format systole_device_name_format(const char *name);

/* The name of the same machine in another format, of at most `bytes` with its end:
 * "cuda:1" in bf16 is "cuda-bf16:1". SYSTOLE_ERR_UNSUPPORTED, with a sentence and out
 * "", when this kind of device has no such row; whether this machine has the format is
 * said by systole_device_list and systole_device_open. A part of the name that chooses a
 * kernel of one format ("cpu:plain-c") is left out. */
SYSTOLE_API systole_status systole_device_in_format(char *out, size_t bytes,
                                                    const char *name,
                                                    systole_format format);

typedef struct systole_geometry {
  int dim;          /* the array is dim x dim; 0 for devices that are no systolic array */
  int axi_bytes;    /* bytes per beat of each memory port */
  int weight_ports; /* ports that weights arrive on */
  uint32_t ub_rows; /* unified buffer, rows of dim bytes */
  uint32_t acc_rows;     /* accumulators, rows of dim int32, both halves */
  uint32_t weight_tiles; /* weight FIFO, dim x dim tiles */
  uint32_t features;     /* bit set, see hw/README.md */
  int flat_array; /* 1: the array written for fast simulation, 0: the readable one */
} systole_geometry;

/* 1: it was opened to tell time without data, by option or by name. */
SYSTOLE_API int systole_device_timing_only(const systole_device *device);

SYSTOLE_API systole_status systole_device_geometry(const systole_device *device,
                                                   systole_geometry *out);

/* The most this machine's arithmetic can do in the device's format on the device's
 * threads, in GOP/s, measured by a register-only loop (clock x width would overstate it);
 * *instruction names what was looped (static storage). The first call may take 0.2 s.
 * SYSTOLE_ERR_UNSUPPORTED, with *gops = 0, for a device without such a figure. */
SYSTOLE_API systole_status systole_device_measured_peak(systole_device *device,
                                                        double *gops,
                                                        const char **instruction);

/* How fast the device's threads read `bytes` of memory over and over, in GB/s: what
 * products of one row, which use each weight once, are bound by. Takes about 0.02 s.
 * SYSTOLE_ERR_UNSUPPORTED, with *gbs = 0, for a device without such a figure. */
SYSTOLE_API systole_status systole_device_measured_bandwidth(systole_device *device,
                                                             uint64_t bytes, double *gbs);

/* One row of `systole devices`. Strings are static or owned by the list. */
typedef struct systole_device_info {
  const char *name;   /* "rtl:16" */
  const char *kind;   /* "accelerator", "cpu", "gpu"; "functional": a stand-in whose
                       * results are right and whose speed means nothing */
  const char *about;  /* one line */
  int usable;         /* 1: systole_device_open can work here */
  const char *reason; /* why not, and what to do; "" when usable */
} systole_device_info;

/* Every known device, usable or not. Free with systole_device_list_free. */
SYSTOLE_API systole_status systole_device_list(systole_device_info **out, size_t *count);
SYSTOLE_API void systole_device_list_free(systole_device_info *list, size_t count);

/* ---- statistics ----------------------------------------------------------------------
 */

/* How a figure came to be. */
typedef enum systole_kind {
  SYSTOLE_KIND_UNKNOWN = 0, /* the figure is absent */
  SYSTOLE_KIND_MEASURED,
  SYSTOLE_KIND_MODELLED,
  SYSTOLE_KIND_PUBLISHED,
  SYSTOLE_KIND_ASSUMED,
  SYSTOLE_KIND_ESTIMATE /* ours, without a published source */
} systole_kind;

/* Every cycle of a run is in exactly one of these; they sum to cycles. See hw/README.md.
 */
typedef struct systole_ledger {
  uint64_t active, start, drain, output_stall, input_stall, weight_stall, weight_shift,
      other;
} systole_ledger;

typedef struct systole_bounds {
  systole_kind kind; /* UNKNOWN: the three are meaningless */
  double low, nominal, high;
} systole_bounds;

/* What one call did. Figures that are not known are 0 with their `has_` flag or kind
 * unset. */
typedef struct systole_stats {
  uint64_t macs;  /* useful: M N K */
  int has_cycles; /* 1: cycles, ledger and event counters below are valid */
  uint64_t cycles;
  double clock_mhz;
  systole_kind clock_kind; /* ASSUMED for a simulated device */
  /* Preset's name, with what is changed of it; NULL when it does not apply. As long as
   * the device is open. */
  const char *memory;
  double utilisation;         /* macs / (dim^2 cycles) */
  double utilisation_ceiling; /* what padding to dim allows */
  systole_ledger ledger;
  uint64_t zero_macs; /* products with a zero operand, padding included */
  uint64_t ub_read_bytes, ub_write_bytes, weight_bytes, acc_read_bytes, acc_write_bytes;
  uint64_t dram_read_bytes, dram_write_bytes;
  uint64_t gmem0_read_bytes, gmem0_write_bytes, gmem1_read_bytes;
  uint64_t instructions;
  double seconds;     /* of the device: cycles / clock if simulated, else wall time */
  double gops;        /* 2 macs / seconds / 1e9 */
  double wall_s;      /* what the caller waited */
  double cpu_s;       /* CPU time of the process in the same span */
  double sim_cpu_s;   /* CPU time inside the card's run; 0 if not simulated */
  double host_share;  /* packing and unpacking / wall_s */
  const char *kernel; /* which code computed it, e.g. "onednn-s8s8s32"; static storage */
  systole_bounds power_w;  /* average over the run */
  systole_bounds energy_j; /* total */
  /* Shares of `seconds` on a device with a memory of its own, by its own clock; 0: not
   * known. What remains is the host's. */
  double transfer_s; /* copies to and from the device */
  double compute_s;
  const char *technology; /* that energy_j is modelled in; NULL: it does not apply */
  int timing_only;        /* 1: nothing was computed; zero_macs are not known */
} systole_stats;

/* ---- products ------------------------------------------------------------------------
 */

/* Requantisation of int32 column j to int8 (all arrays have N entries; NULL means
 * absent): x = C[i][j] + bias[j]                              (wraps modulo 2^32) y =
 * round_half_to_even((int64) x * multiplier[j] / 2^shift[j]) + zero_point out = clamp(y,
 * clamp_low, clamp_high) multiplier is a signed 17-bit number, shift 0 ... 47. */
typedef struct systole_epilogue {
  uint32_t version;    /* SYSTOLE_EPILOGUE_VERSION */
  const int32_t *bias; /* NULL: 0 */
  const int32_t
      *multiplier;      /* NULL: no requantisation, int32 results (bias still added) */
  const uint8_t *shift; /* required with multiplier */
  int8_t zero_point;
  int8_t clamp_low, clamp_high;
} systole_epilogue;
#define SYSTOLE_EPILOGUE_VERSION 1
#define SYSTOLE_EPILOGUE_INIT \
  { SYSTOLE_EPILOGUE_VERSION, NULL, NULL, NULL, 0, -128, 127 }

/* C = A B, int8 x int8 -> int32, exact modulo 2^32. M, N, K >= 0; K = 0 gives zeros.
 * lda >= max(1,K), ldb >= max(1,N), ldc >= max(1,N); elements between rows of C are left
 * alone. stats and progress may be NULL. On failure C may be partly written. */
SYSTOLE_API systole_status systole_gemm_s8(systole_device *device, int64_t m, int64_t n,
                                           int64_t k, const int8_t *a, int64_t lda,
                                           const int8_t *b, int64_t ldb, int32_t *c,
                                           int64_t ldc, systole_stats *stats);

/* Weights prepared once (packed, and copied to the device), for any number of products.
 */
typedef struct systole_weights systole_weights;

/* b is K x N, row-major. epilogue may be NULL (raw int32 results); it is copied.
 * The device must outlive the weights. */
SYSTOLE_API systole_status systole_weights_prepare(systole_weights **out,
                                                   systole_device *device, int64_t n,
                                                   int64_t k, const int8_t *b,
                                                   int64_t ldb,
                                                   const systole_epilogue *epilogue);
SYSTOLE_API void systole_weights_free(systole_weights *weights);

/* The same for devices of float formats. Operands and results are float32 here; the
 * device rounds operands to its format (to the nearest, halves to even; TF32 as the
 * device does it). bias: N values that are added to each row of results, or NULL; it is
 * copied. An int8 device returns SYSTOLE_ERR_UNSUPPORTED, and the int8 functions do so on
 * these.
 */
SYSTOLE_API systole_status systole_weights_prepare_f32(systole_weights **out,
                                                       systole_device *device, int64_t n,
                                                       int64_t k, const float *b,
                                                       int64_t ldb, const float *bias);
SYSTOLE_API systole_status systole_gemm_f32_prepared(const systole_weights *weights,
                                                     int64_t m, const float *a,
                                                     int64_t lda, float *c, int64_t ldc,
                                                     systole_stats *stats);
SYSTOLE_API systole_status systole_gemm_f32(systole_device *device, int64_t m, int64_t n,
                                            int64_t k, const float *a, int64_t lda,
                                            const float *b, int64_t ldb, float *c,
                                            int64_t ldc, systole_stats *stats);

/* That of the device they were prepared for. */
SYSTOLE_API systole_format systole_weights_format(const systole_weights *weights);

/* c is int32_t[M][ldc] without a multiplier in the epilogue, int8_t[M][ldc] with one. */
SYSTOLE_API systole_status systole_gemm_s8_prepared(const systole_weights *weights,
                                                    int64_t m, const int8_t *a,
                                                    int64_t lda, void *c, int64_t ldc,
                                                    systole_stats *stats);

/* ---- convolutions --------------------------------------------------------------------
 */

typedef enum systole_pooling { /* the codes of ACTIVATE's Pool field */
                               SYSTOLE_POOLING_NONE = 0,
                               SYSTOLE_POOLING_MAX =
                                   1, /* maximum of the int8 values; what lies outside
                                         takes no part */
                               SYSTOLE_POOLING_AVERAGE =
                                   2 /* sum of the biased int32 values inside, then the
                                    epilogue: the mean's divisor belongs into multiplier
                                    and shift */
} systole_pooling;

/* A convolution of a batch of images, and what follows it on the way out:
 *   sum[b][y][x][o] = sum over i, j, c of
 *       (input[b][y stride_height + i dilation_height - pad_top]
 *             [x stride_width + j dilation_width - pad_left][c of o's group]
 *        - input_zero_point) * weights[o][i][j][c],     pixels outside count nothing,
 * exact modulo 2^32; then the epilogue per output channel o:
 *   v = sum + bias;  v = v multiplier + (residual - residual_zero_point)
 *   residual_multiplier;  out = clamp(round_half_to_even(v / 2^shift) + zero_point)
 * and the pool: max of `out` over each window, or, for an average, the epilogue on the
 * sum of (sum + bias) over each window. Without a multiplier the output is int32 (sum +
 * bias), and there is neither residual nor pool. */
typedef struct systole_conv2d {
  uint32_t version; /* SYSTOLE_CONV2D_VERSION */
  int64_t batch, height, width,
      channels; /* input int8 [batch][height][width][channels] */
  /* weights int8 [out_channels][kernel_height][kernel_width][channels / groups] */
  int64_t out_channels, kernel_height, kernel_width;
  int64_t stride_height, stride_width;
  int64_t dilation_height, dilation_width;
  int64_t pad_top, pad_bottom, pad_left, pad_right;
  int64_t groups; /* divides channels and out_channels */
  int8_t input_zero_point;
  const systole_epilogue *epilogue; /* arrays of out_channels; NULL: int32 results */
  const int8_t *residual;           /* of the output's shape; NULL: none */
  int32_t residual_multiplier;      /* signed 17-bit number */
  int8_t residual_zero_point;
  systole_pooling pool;
  int64_t pool_height, pool_width, pool_stride_height, pool_stride_width; /* 1 ... 15 */
  int64_t pool_pad_top, pool_pad_bottom, pool_pad_left, pool_pad_right;
} systole_conv2d;
#define SYSTOLE_CONV2D_VERSION 1
#define SYSTOLE_CONV2D_INIT                                                          \
  {                                                                                  \
    SYSTOLE_CONV2D_VERSION, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 0, NULL, \
        NULL, 0, 0, SYSTOLE_POOLING_NONE, 1, 1, 1, 1, 0, 0, 0, 0                     \
  }

/* Lines and columns of the output, the pool's included. SYSTOLE_ERR_ARGUMENT, with both
 * 0, when the sizes make no sense. */
SYSTOLE_API systole_status systole_conv2d_output(int64_t *height, int64_t *width,
                                                 const systole_conv2d *conv);

/* Runs it. output is [batch][height][width][out_channels] of int8_t with a multiplier in
 * the epilogue, else of int32_t, without gaps. stats may be NULL; stats->macs counts
 * batch x lines x columns x out_channels x kernel_height x kernel_width x channels /
 * groups, before the pool. SYSTOLE_ERR_ARGUMENT: sizes or pointers are wrong;
 * SYSTOLE_ERR_UNSUPPORTED: the device has no such unit, or its buffers are too small for
 * it. On failure the output may be partly written. */
SYSTOLE_API systole_status systole_conv2d_s8(systole_device *device,
                                             const systole_conv2d *conv,
                                             const int8_t *input, const int8_t *weights,
                                             void *output, systole_stats *stats);

/* Sets the function that long calls on this device report to; NULL removes it. */
SYSTOLE_API void systole_device_set_progress(systole_device *device,
                                             systole_progress progress, void *user);

/* ---- forecasts: what a run would cost, without a device
 * ---------------------------------
 */

/* A device, real or only thought of, and a product. */
typedef struct systole_scenario {
  uint32_t version;          /* SYSTOLE_SCENARIO_VERSION */
  systole_geometry geometry; /* from systole_device_geometry, changed at will */
  const char *memory;        /* preset as in systole_device_options; NULL: ideal */
  double clock_mhz;          /* 0: 300 */
  int64_t m, n, k;
  int int8_results; /* 1: requantised; 0: int32 */
  int bias;         /* 1: a bias is added */
} systole_scenario;
#define SYSTOLE_SCENARIO_VERSION 1
#define SYSTOLE_SCENARIO_INIT \
  { SYSTOLE_SCENARIO_VERSION, {0, 0, 0, 0, 0, 0, 0, 0}, NULL, 0.0, 0, 0, 0, 0, 0 }

/* Plans and schedules the product for the geometry and follows its command stream through
 * the timing laws of hw/README.md and of the memory preset. Fills macs, cycles, ledger,
 * utilisation and its ceiling, bytes of the ports, instructions, seconds and gops of
 * *out; the rest is 0. Tests hold it within 5 % of the RTL. SYSTOLE_ERR_ARGUMENT: sizes
 * or preset; SYSTOLE_ERR_UNSUPPORTED: no product fits such a device. */
SYSTOLE_API systole_status systole_forecast_gemm(systole_stats *out,
                                                 const systole_scenario *scenario);

/* The same for a convolution, whose sizes stand in *conv; pointers may be NULL, except
 * that the epilogue says whether results are int8. m, n, k, int8_results and bias of the
 * scenario are not read. */
SYSTOLE_API systole_status systole_forecast_conv2d(systole_stats *out,
                                                   const systole_scenario *scenario,
                                                   const systole_conv2d *conv);

/* ---- buffers: device memory for those who write command streams themselves ------------
 */

typedef struct systole_buffer systole_buffer;

typedef enum systole_port { SYSTOLE_PORT_GMEM0 = 0, SYSTOLE_PORT_GMEM1 = 1 } systole_port;

/* bytes of device memory reachable by `port`, aligned to 4096. SYSTOLE_ERR_UNSUPPORTED on
 * a device that is no accelerator; SYSTOLE_ERR_DEVICE_MEMORY when it is exhausted. */
SYSTOLE_API systole_status systole_buffer_create(systole_buffer **out,
                                                 systole_device *device,
                                                 systole_port port, uint64_t bytes);
SYSTOLE_API void systole_buffer_free(systole_buffer *buffer);
SYSTOLE_API systole_status systole_buffer_write(systole_buffer *buffer, uint64_t offset,
                                                const void *data, uint64_t bytes);
SYSTOLE_API systole_status systole_buffer_read(const systole_buffer *buffer,
                                               uint64_t offset, void *data,
                                               uint64_t bytes);

/* Runs a command stream (hw/README.md) of `instructions` 64-byte instructions. `program`
 * and `weights` lie on gmem1, `activations` on gmem0. Statistics have macs = 0. */
SYSTOLE_API systole_status systole_run(systole_device *device,
                                       const systole_buffer *program,
                                       uint32_t instructions,
                                       const systole_buffer *weights,
                                       const systole_buffer *activations,
                                       systole_stats *stats);

/* ---- bitstreams
 * ------------------------------------------------------------------------
 */

/* What the passport beside a bitstream tells (bitstreams/README.md). */
typedef struct systole_bitstream {
  int has_passport; /* 0: there is none, and the rest is empty */
  char platform[32], shell[96], vivado[32], vitis[32], commit[48];
  systole_geometry geometry;
  double clock_mhz;
  char selftest_sha256[65]; /* "" when it is not known */
} systole_bitstream;

/* Reads the passport of `xclbin` and holds it against the file. SYSTOLE_OK also without a
 * passport. SYSTOLE_ERR_ARGUMENT: it is none, or of another file; SYSTOLE_ERR_NOT_FOUND,
 * SYSTOLE_ERR_IO: file or passport cannot be read. */
SYSTOLE_API systole_status systole_bitstream_read(systole_bitstream *out,
                                                  const char *xclbin);

/* 1 when a card of that shell (as its driver tells it) can take the bitstream. */
SYSTOLE_API int systole_bitstream_fits(const systole_bitstream *bitstream,
                                       const char *shell);

/* ---- power of a card ------------------------------------------------------------------
 */

#define SYSTOLE_POWER_SHORTEST_S 3.0 /* the driver looks at its sensors once a second */

typedef struct systole_power_report {
  char source[96]; /* what was read: "xmc_power of card 0000:3b:00.1" */
  uint64_t runs;   /* of the work */
  double idle_s, busy_s;
  int samples;                            /* while busy */
  systole_bounds idle_w, power_w;         /* of the whole card, at rest and at work */
  systole_bounds incremental_w;           /* the difference */
  systole_bounds energy_j, incremental_j; /* of one run of the work */
  int has_temperature;
  double temperature_c; /* of the FPGA, the highest while busy */
} systole_power_report;

/* Reads the sensors of the Alveo card at PCIe address `card` ("0000:3b:00.1"; NULL or "":
 * the only one) for `seconds` at rest and then while `work` is repeated. Works through
 * the driver's files in /sys alone; docs/energy.md says what they are worth.
 * asked_to_stop may be NULL. SYSTOLE_ERR_NOT_FOUND: no such sensors; SYSTOLE_ERR_DEVICE:
 * they could not be read throughout; SYSTOLE_ERR_INTERRUPTED; or what `work` returned. */
SYSTOLE_API systole_status systole_power_measure(systole_power_report *out,
                                                 const char *card, double seconds,
                                                 systole_status (*work)(void *user),
                                                 int (*asked_to_stop)(void *user),
                                                 void *user);

/* ---- recordings: what was done with one card, to be repeated on another ---------------
 */

/* Completes the file that systole_device_options.record_path asked for and gives it its
 * name; without this call, or when the process ends before, there is no file. Recording
 * stops here. *runs: runs in it. *cut: 1 when it reached its limit before the last of
 * them. SYSTOLE_ERR_ARGUMENT: nothing was to be recorded, or it is saved already;
 * SYSTOLE_ERR_IO, SYSTOLE_ERR_HOST_MEMORY (the disk is full): nothing was written. */
SYSTOLE_API systole_status systole_device_save_recording(systole_device *device,
                                                         uint64_t *runs, int *cut);

/* What a replay found. Addresses are those of the recording. */
typedef struct systole_replay_report {
  char recorded_on[64];             /* the device's name then */
  int cut;                          /* 1: the recording had reached its limit */
  uint64_t runs;                    /* repeated */
  uint64_t bytes;                   /* results compared */
  uint64_t cycles, recorded_cycles; /* sums over the runs whose counters were recorded */
  int differs;                      /* 1: what follows tells of the first difference */
  uint64_t run;                     /* counted from 1; 0: before the first */
  systole_port port;
  int is_memory;             /* 1: a byte of memory; 0: how the run ended */
  uint64_t address, offset;  /* of the first wrong byte, and in its buffer */
  int expected, found;       /* its values */
  uint64_t wrong_bytes;      /* in that transfer */
  char sentence[768];        /* all of it in words */
  int can_draw;              /* 1: the device has signals */
  uint64_t wave_first_cycle; /* window of the waveform in that run */
  uint64_t wave_cycles;      /* 0: no waveform was written */
  char wave_story[512];      /* why not, when one was asked for and could not be */
} systole_replay_report;

/* Repeats the recording at `path` on device `name`, as far as the first difference.
 * Memory preset, stalls and memory size are the recorded ones unless `options` says
 * otherwise; with a trace_path and a difference, the run is repeated once more and the
 * waveform around the difference is written there. options, progress may be NULL.
 * SYSTOLE_OK also when results differ: report->differs. SYSTOLE_ERR_ARGUMENT: no
 * recording, a damaged one, or one of another geometry; SYSTOLE_ERR_IO: it cannot be
 * read. */
SYSTOLE_API systole_status systole_replay(systole_replay_report *report, const char *path,
                                          const char *name,
                                          const systole_device_options *options,
                                          systole_progress progress, void *user);

#ifdef __cplusplus
}
#endif
#endif
