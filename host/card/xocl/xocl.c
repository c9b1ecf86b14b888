/* The card `xocl`: the kernel of an .xclbin through OpenCL, as XRT's libxilinxopencl
 * offers it, for those whose flow is OpenCL. Memory, arguments and runs are OpenCL's;
 * registers (geometry, errors, counters), of which OpenCL knows nothing, are read through
 * XRT beside it.
 *
 * A block of device memory is one cl_mem. OpenCL does not tell device addresses, so
 * blocks are given numbers of their own, and an address inside one becomes a sub-buffer.
 * OpenCL cannot end a run: a card that is closed in the middle of one leaves its objects
 * to the end of the process. */
#define _POSIX_C_SOURCE 200809L
#define CL_TARGET_OPENCL_VERSION 120
#define CL_USE_DEPRECATED_OPENCL_1_2_APIS
#include <CL/cl.h>
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "card/card.h"
#include "card/systole_isa.h"
#include "card/systole_kernel.h"
#include "card/xrt/common.h"
#include "card/xrt/probe.h"
#include "support/clock.h"
#include "support/error.h"

#define LIBRARY "libxilinxopencl.so.2"

/* Xilinx's way to say which memory a buffer lies in (cl_ext_xilinx.h): that of an
 * argument of a kernel. */
#define MEM_EXT_PTR ((cl_mem_flags)1 << 31)
typedef struct bank_of_argument {
  unsigned argument;
  void *host; /* NULL */
  void *kernel;
} bank_of_argument;

#define OPENCL_FUNCTIONS(X)    \
  X(clGetPlatformIDs)          \
  X(clGetPlatformInfo)         \
  X(clGetDeviceIDs)            \
  X(clCreateContext)           \
  X(clReleaseContext)          \
  X(clCreateCommandQueue)      \
  X(clReleaseCommandQueue)     \
  X(clCreateProgramWithBinary) \
  X(clBuildProgram)            \
  X(clReleaseProgram)          \
  X(clCreateKernel)            \
  X(clReleaseKernel)           \
  X(clSetKernelArg)            \
  X(clCreateBuffer)            \
  X(clCreateSubBuffer)         \
  X(clReleaseMemObject)        \
  X(clEnqueueWriteBuffer)      \
  X(clEnqueueReadBuffer)       \
  X(clEnqueueTask)             \
  X(clFlush)                   \
  X(clGetEventInfo)            \
  X(clReleaseEvent)

typedef struct opencl {
#define MEMBER(name) __typeof__(&name) name;
  OPENCL_FUNCTIONS(MEMBER)
#undef MEMBER
} opencl;

typedef struct block {
  cl_mem memory;
  uint64_t address, bytes;
  systole_port port;
} block;

struct systole_card {
  systole_xrt_session session; /* for the registers */
  systole_xclbin *xclbin;
  opencl cl;
  cl_context context;
  cl_command_queue queue;
  cl_program program;
  cl_kernel kernel;
  cl_event event; /* of the run that is going */
  cl_mem parts[SYSTOLE_KERNEL_ARGUMENT_COUNT];
  block *blocks;
  size_t block_count, block_room;
  uint64_t next_address;
  int running;
  systole_xrt_silence silence;
  double started_cpu, cpu_seconds;
};

static systole_status out_of_memory(void) {
  return systole_fail(SYSTOLE_ERR_HOST_MEMORY, "this machine is out of memory");
}

static systole_status failed(const char *what, cl_int error) {
  return systole_fail(error == CL_MEM_OBJECT_ALLOCATION_FAILURE
                          ? SYSTOLE_ERR_DEVICE_MEMORY
                          : SYSTOLE_ERR_DEVICE,
                      "OpenCL %s (error %d)", what, (int)error);
}

/* ---- opening -------------------------------------------------------------------------
 */

/* XRT's OpenCL from the folder of XILINX_XRT or the system's; as any other OpenCL
 * platform where only the loader is installed. */
static systole_status load(opencl *cl, const systole_xrt_site *site) {
  char path[1200];
  (void)snprintf(path, sizeof path, "%s/lib/" LIBRARY, site->root);
  const char *const names[] = {path, LIBRARY, "libOpenCL.so.1"};
  void *library = NULL;
  const char *missing = NULL;
  for (size_t i = 0; i < sizeof names / sizeof names[0] && !library; i++) {
    library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  }
  if (!library) {
    return systole_fail(SYSTOLE_ERR_NOT_FOUND,
                        "neither " LIBRARY
                        " nor libOpenCL.so.1 can be loaded; install "
                        "with: apt-get install libxrt1");
  }
  /* POSIX defines this conversion, ISO C does not. */
#define LOOK_UP(name)                          \
  *(void **)&cl->name = dlsym(library, #name); \
  if (!cl->name && !missing) missing = #name;
  OPENCL_FUNCTIONS(LOOK_UP)
#undef LOOK_UP
  return missing ? systole_fail(SYSTOLE_ERR_NOT_FOUND, "this OpenCL has no function %s",
                                missing)
                 : SYSTOLE_OK;
}

/* Card `index` of the platform that takes .xclbin files. */
static systole_status find_device(const opencl *cl, int index, cl_device_id *out) {
  cl_platform_id platforms[16];
  cl_device_id devices[SYSTOLE_XRT_MOST_CARDS];
  cl_uint count = 0, found = 0;
  if (cl->clGetPlatformIDs(16, platforms, &count) != CL_SUCCESS) count = 0;
  for (cl_uint i = 0; i < count && i < 16; i++) {
    char name[128] = "";
    (void)cl->clGetPlatformInfo(platforms[i], CL_PLATFORM_NAME, sizeof name - 1, name,
                                NULL);
    if (strcmp(name, "Xilinx") != 0) continue;
    if (cl->clGetDeviceIDs(platforms[i], CL_DEVICE_TYPE_ACCELERATOR,
                           SYSTOLE_XRT_MOST_CARDS, devices, &found) != CL_SUCCESS) {
      found = 0;
    }
    if (index < (int)found && index < SYSTOLE_XRT_MOST_CARDS) {
      *out = devices[index];
      return SYSTOLE_OK;
    }
  }
  return systole_fail(SYSTOLE_ERR_NOT_FOUND,
                      "OpenCL offers %u cards on %u platforms, and card %d was asked for",
                      found, count, index);
}

static systole_status open_kernel(systole_card *card, cl_device_id device) {
  const opencl *cl = &card->cl;
  const unsigned char *data = card->xclbin->data;
  const size_t bytes = (size_t)card->xclbin->bytes;
  char name[160];
  cl_int error = CL_SUCCESS, taken = CL_SUCCESS;
  card->context = cl->clCreateContext(NULL, 1, &device, NULL, NULL, &error);
  if (!card->context) return failed("gives no context", error);
  card->queue = cl->clCreateCommandQueue(card->context, device, 0, &error);
  if (!card->queue) return failed("gives no queue", error);
  card->program = cl->clCreateProgramWithBinary(card->context, 1, &device, &bytes, &data,
                                                &taken, &error);
  if (!card->program) return failed("does not take the xclbin", error);
  error = cl->clBuildProgram(card->program, 1, &device, "", NULL, NULL);
  if (error != CL_SUCCESS) return failed("does not build the xclbin", error);
  (void)snprintf(name, sizeof name, "%s:{%s}", SYSTOLE_KERNEL_NAME,
                 card->xclbin->units[card->session.unit].name);
  card->kernel = cl->clCreateKernel(card->program, name, &error);
  return card->kernel ? SYSTOLE_OK : failed("does not open the kernel", error);
}

static systole_status open_all(systole_card *card, const systole_xrt_name *name) {
  systole_xrt_probe probe;
  systole_xrt_site site;
  cl_device_id device = NULL;
  systole_status status = systole_xrt_find(&site);
  if (status == SYSTOLE_OK && name->index < 0) {
    status = systole_fail(SYSTOLE_ERR_ARGUMENT,
                          "card=%s: OpenCL numbers its cards; give an index", name->card);
  }
  if (status == SYSTOLE_OK && !systole_xrt_is_live(&site)) {
    status = systole_xrt_probe_open(&probe, name);
  }
  if (status == SYSTOLE_OK) {
    status = systole_xrt_session_open(&card->session, &site, name, card->xclbin, 1);
  }
  if (status != SYSTOLE_OK) return status;
  systole_xrt_enter(1);
  status = load(&card->cl, &site);
  if (status == SYSTOLE_OK) status = find_device(&card->cl, name->index, &device);
  if (status == SYSTOLE_OK) status = open_kernel(card, device);
  systole_xrt_leave();
  return status;
}

static void drop_parts(systole_card *card) {
  for (int i = 0; i < SYSTOLE_KERNEL_ARGUMENT_COUNT; i++) {
    if (card->parts[i]) (void)card->cl.clReleaseMemObject(card->parts[i]);
    card->parts[i] = NULL;
  }
}

static void xocl_close(systole_card *card) {
  if (!card) return;
  const opencl *cl = &card->cl;
  if (!card->running) {
    systole_xrt_enter(1);
    drop_parts(card);
    for (size_t i = 0; i < card->block_count; i++) {
      (void)cl->clReleaseMemObject(card->blocks[i].memory);
    }
    if (card->kernel) (void)cl->clReleaseKernel(card->kernel);
    if (card->program) (void)cl->clReleaseProgram(card->program);
    if (card->queue) (void)cl->clReleaseCommandQueue(card->queue);
    if (card->context) (void)cl->clReleaseContext(card->context);
    systole_xrt_leave();
  }
  systole_xrt_session_close(&card->session);
  systole_xclbin_free(card->xclbin);
  free(card->blocks);
  free(card);
}

static systole_status xocl_open(systole_card **out, const char *what,
                                const systole_device_options *given) {
  static const systole_device_options defaults = SYSTOLE_DEVICE_OPTIONS_INIT;
  const systole_device_options *options = given ? given : &defaults;
  systole_xrt_name name;
  *out = NULL;
  systole_card *card = calloc(1, sizeof *card);
  if (!card) return out_of_memory();
  card->next_address = UINT64_C(1) << 40;
  card->silence.limit_ms =
      options->timeout_ms ? options->timeout_ms : SYSTOLE_XRT_SILENCE_MS;
  systole_status status = systole_xrt_name_parse(&name, what);
  if (status == SYSTOLE_OK) status = systole_xclbin_read(&card->xclbin, name.file);
  if (status == SYSTOLE_OK) status = systole_xclbin_check_kernel(card->xclbin, name.file);
  if (status == SYSTOLE_OK) {
    status = systole_xrt_check_options(options, card->xclbin, name.file);
  }
  if (status == SYSTOLE_OK) status = open_all(card, &name);
  if (status == SYSTOLE_OK) {
    status = systole_xrt_check_geometry(&card->session, name.file);
  }
  if (status == SYSTOLE_OK) status = systole_xrt_await_idle(&card->session);
  if (status == SYSTOLE_OK) {
    *out = card;
  } else {
    xocl_close(card);
  }
  return status;
}

/* The card `xrt` lists what there is; this one goes there by another way. */
static void xocl_list(void (*add)(void *user, const systole_device_info *info),
                      void *user) {
  (void)add;
  (void)user;
}

/* ---- memory --------------------------------------------------------------------------
 */

static const block *find_block(const systole_card *card, systole_port port,
                               uint64_t address, uint64_t bytes) {
  for (size_t i = 0; i < card->block_count; i++) {
    const block *b = &card->blocks[i];
    if (b->port == port && b->address <= address && address - b->address <= b->bytes &&
        bytes <= b->bytes - (address - b->address)) {
      return b;
    }
  }
  (void)systole_fail(SYSTOLE_ERR_ARGUMENT,
                     "%llu bytes at 0x%llx are in no buffer of gmem%d",
                     (unsigned long long)bytes, (unsigned long long)address, (int)port);
  return NULL;
}

static systole_status xocl_alloc(systole_card *card, systole_port port, uint64_t bytes,
                                 uint64_t *address) {
  const uint64_t size = bytes ? (bytes + 4095) / 4096 * 4096 : 4096;
  *address = 0;
  if (card->block_count == card->block_room) {
    const size_t room = card->block_room ? 2 * card->block_room : 16;
    block *more = realloc(card->blocks, room * sizeof *more);
    if (!more) return out_of_memory();
    card->blocks = more;
    card->block_room = room;
  }
  if (size < bytes || size > UINT64_MAX / 2 - card->next_address) {
    return systole_fail(SYSTOLE_ERR_DEVICE_MEMORY, "no card has that much memory");
  }
  bank_of_argument where = {
      port == SYSTOLE_PORT_GMEM0 ? SYSTOLE_ARG_ACTIVATIONS : SYSTOLE_ARG_WEIGHTS, NULL,
      card->kernel};
  cl_int error = CL_SUCCESS;
  systole_xrt_enter(0);
  cl_mem memory = card->cl.clCreateBuffer(card->context, CL_MEM_READ_WRITE | MEM_EXT_PTR,
                                          (size_t)size, &where, &error);
  /* OpenCL allocates when a buffer is first used; what cannot be had shall be said now.
   */
  if (memory) {
    const char zero = 0;
    error = card->cl.clEnqueueWriteBuffer(card->queue, memory, CL_TRUE, 0, 1, &zero, 0,
                                          NULL, NULL);
    if (error != CL_SUCCESS) (void)card->cl.clReleaseMemObject(memory);
  }
  systole_xrt_leave();
  if (!memory || error != CL_SUCCESS) {
    return systole_fail(
        SYSTOLE_ERR_DEVICE_MEMORY,
        "%llu bytes of device memory on gmem%d were asked for, and OpenCL "
        "has no room (error %d)",
        (unsigned long long)bytes, (int)port, (int)error);
  }
  card->blocks[card->block_count++] = (block){memory, card->next_address, size, port};
  *address = card->next_address;
  card->next_address += size + 4096; /* a gap: no address belongs to two blocks */
  return SYSTOLE_OK;
}

static void xocl_free(systole_card *card, systole_port port, uint64_t address) {
  for (size_t i = 0; address != 0 && i < card->block_count; i++) {
    if (card->blocks[i].port != port || card->blocks[i].address != address) continue;
    systole_xrt_enter(0);
    (void)card->cl.clReleaseMemObject(card->blocks[i].memory);
    systole_xrt_leave();
    card->blocks[i] = card->blocks[--card->block_count];
    return;
  }
}

static systole_status xocl_write(systole_card *card, systole_port port, uint64_t address,
                                 const void *data, uint64_t bytes) {
  if (bytes == 0) return SYSTOLE_OK;
  const block *b = find_block(card, port, address, bytes);
  if (!b) return SYSTOLE_ERR_ARGUMENT;
  systole_xrt_enter(0);
  const cl_int error = card->cl.clEnqueueWriteBuffer(card->queue, b->memory, CL_TRUE,
                                                     (size_t)(address - b->address),
                                                     (size_t)bytes, data, 0, NULL, NULL);
  systole_xrt_leave();
  return error == CL_SUCCESS ? SYSTOLE_OK : failed("does not write memory", error);
}

static systole_status xocl_read(systole_card *card, systole_port port, uint64_t address,
                                void *data, uint64_t bytes) {
  if (bytes == 0) return SYSTOLE_OK;
  const block *b = find_block(card, port, address, bytes);
  if (!b) return SYSTOLE_ERR_ARGUMENT;
  systole_xrt_enter(0);
  const cl_int error = card->cl.clEnqueueReadBuffer(card->queue, b->memory, CL_TRUE,
                                                    (size_t)(address - b->address),
                                                    (size_t)bytes, data, 0, NULL, NULL);
  systole_xrt_leave();
  return error == CL_SUCCESS ? SYSTOLE_OK : failed("does not read memory", error);
}

/* ---- registers and runs --------------------------------------------------------------
 */

static systole_status xocl_read_register(systole_card *card, uint32_t offset,
                                         uint32_t *value) {
  /* Reading the control register clears `done`, which the driver waits for. */
  if (offset == SYSTOLE_REG_CONTROL && card->running) {
    *value = 1;
    return SYSTOLE_OK;
  }
  return systole_xrt_session_read(&card->session, offset, value);
}

static systole_status set_pointer(systole_card *card, cl_uint argument, systole_port port,
                                  uint64_t address) {
  const block *b = find_block(card, port, address, 1);
  cl_int error = CL_SUCCESS;
  if (!b) return SYSTOLE_ERR_ARGUMENT;
  cl_mem memory = b->memory;
  if (address != b->address) {
    const cl_buffer_region region = {(size_t)(address - b->address),
                                     (size_t)(b->bytes - (address - b->address))};
    memory = card->parts[argument] = card->cl.clCreateSubBuffer(
        b->memory, CL_MEM_READ_WRITE, CL_BUFFER_CREATE_TYPE_REGION, &region, &error);
    if (!memory) {
      return systole_fail(SYSTOLE_ERR_UNSUPPORTED,
                          "OpenCL gives no part of a buffer at byte %zu (error %d); use "
                          "xrt: or begin a buffer there",
                          region.origin, (int)error);
    }
  }
  error = card->cl.clSetKernelArg(card->kernel, argument, sizeof memory, &memory);
  return error == CL_SUCCESS ? SYSTOLE_OK : failed("does not take an argument", error);
}

static systole_status xocl_start(systole_card *card, const systole_launch *launch) {
  const cl_uint count = launch->instructions;
  if (card->running) {
    return systole_fail(SYSTOLE_ERR_DEVICE,
                        "a run was started while another one is going; wait for it or "
                        "reopen the device");
  }
  systole_xrt_enter(0);
  drop_parts(card);
  systole_status status =
      set_pointer(card, SYSTOLE_ARG_PROGRAM, SYSTOLE_PORT_GMEM1, launch->program);
  if (status == SYSTOLE_OK)
    status = set_pointer(card, SYSTOLE_ARG_WEIGHTS, SYSTOLE_PORT_GMEM1, launch->weights);
  if (status == SYSTOLE_OK)
    status = set_pointer(card, SYSTOLE_ARG_ACTIVATIONS, SYSTOLE_PORT_GMEM0,
                         launch->activations);
  cl_int error = CL_SUCCESS;
  card->started_cpu = systole_cpu_seconds();
  if (status == SYSTOLE_OK) {
    error = card->cl.clSetKernelArg(card->kernel, SYSTOLE_ARG_INSTRUCTIONS, sizeof count,
                                    &count);
    if (error == CL_SUCCESS) {
      error = card->cl.clEnqueueTask(card->queue, card->kernel, 0, NULL, &card->event);
    }
    if (error == CL_SUCCESS) {
      card->running = 1;
      error = card->cl.clFlush(card->queue);
    }
    if (error != CL_SUCCESS) status = failed("does not start the run", error);
  }
  systole_xrt_leave();
  systole_xrt_silence_begin(&card->silence);
  return status;
}

/* OpenCL waits for ever or not at all: this looks again and again, ever more rarely. */
static systole_status xocl_wait(systole_card *card, uint32_t slice_ms, int *done) {
  const double until = systole_wall_seconds() + 1e-3 * (slice_ms ? slice_ms : 1);
  cl_int state = CL_QUEUED;
  long pause_ns = 5000;
  *done = 0;
  if (!card->running) {
    *done = 1;
    return SYSTOLE_OK;
  }
  for (;;) {
    systole_xrt_enter(0);
    const cl_int error = card->cl.clGetEventInfo(
        card->event, CL_EVENT_COMMAND_EXECUTION_STATUS, sizeof state, &state, NULL);
    systole_xrt_leave();
    if (error != CL_SUCCESS) return failed("does not tell how the run is", error);
    if (state <= CL_COMPLETE) break;
    if (systole_wall_seconds() >= until) {
      return systole_xrt_silence_check(&card->silence, &card->session);
    }
    const struct timespec pause = {0, pause_ns};
    (void)nanosleep(&pause, NULL);
    if (pause_ns < 1000000) pause_ns += pause_ns / 4;
  }
  systole_xrt_enter(0);
  (void)card->cl.clReleaseEvent(card->event);
  systole_xrt_leave();
  card->running = 0;
  card->cpu_seconds += systole_cpu_seconds() - card->started_cpu;
  if (state < 0) return failed("ended the run", state);
  *done = 1;
  return SYSTOLE_OK;
}

/* ---- figures -------------------------------------------------------------------------
 */

static int xocl_simulates(const systole_card *card) { return card->xclbin->simulated; }

static double xocl_clock_mhz(const systole_card *card, systole_kind *kind) {
  return systole_xrt_clock_mhz(card->xclbin, kind);
}

static const char *xocl_memory_name(const systole_card *card) {
  return systole_xrt_memory_name(card->xclbin);
}

static double xocl_run_cpu_seconds(const systole_card *card) {
  return card->xclbin->simulated ? card->cpu_seconds : 0.0;
}

const systole_card_ops systole_card_xocl = {
    .version = SYSTOLE_CARD_VERSION,
    .scheme = "xocl",
    .simulated = 0,
    .list = xocl_list,
    .open = xocl_open,
    .close = xocl_close,
    .read_register = xocl_read_register,
    .alloc = xocl_alloc,
    .free = xocl_free,
    .write = xocl_write,
    .read = xocl_read,
    .start = xocl_start,
    .wait = xocl_wait,
    .reset = NULL,
    .clock_mhz = xocl_clock_mhz,
    .memory_name = xocl_memory_name,
    .run_cpu_seconds = xocl_run_cpu_seconds,
    .simulates = xocl_simulates,
};
