/* An ordinary XRT host program, in XRT's C API and without anything of Systole's, on the
 * simulated card: what holds here is what people's own programs meet. */
#include <criterion/criterion.h>
#include <ert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xrt/experimental/xrt_xclbin.h>
#include <xrt/xrt_bo.h>
#include <xrt/xrt_device.h>
#include <xrt/xrt_kernel.h>

/* A whole program for the kernel: END. */
static const uint8_t kEnd[64] = {1, 6};

static void set_up(void) {
  setenv("XILINX_XRT", XRT_FOLDER, 1);
  setenv("SYSTOLE_SIM_CARDS", "2", 1);
}
TestSuite(program, .init = set_up, .timeout = 120);

#define FILE_NAME XRT_FOLDER "/systole-" XRT_MODEL ".xclbin"

typedef struct opened {
  xrtDeviceHandle device;
  xrtKernelHandle kernel;
  xuid_t uuid;
} opened;

static opened open_unit(unsigned card, const char *name, int exclusive) {
  opened o;
  o.device = xrtDeviceOpen(card);
  cr_assert_not_null(o.device);
  cr_assert_eq(xrtDeviceLoadXclbinFile(o.device, FILE_NAME), 0);
  cr_assert_eq(xrtDeviceGetXclbinUUID(o.device, o.uuid), 0);
  o.kernel = exclusive ? xrtPLKernelOpenExclusive(o.device, o.uuid, name)
                       : xrtPLKernelOpen(o.device, o.uuid, name);
  return o;
}

static void close_unit(opened *o) {
  if (o->kernel) cr_expect_eq(xrtKernelClose(o->kernel), 0);
  cr_expect_eq(xrtDeviceClose(o->device), 0);
}

static xrtBufferHandle buffer(const opened *o, int argument, size_t bytes) {
  xrtBufferHandle b = xrtBOAlloc(o->device, bytes, XRT_BO_FLAGS_NONE,
                                 (uint32_t)xrtKernelArgGroupId(o->kernel, argument));
  cr_assert_not_null(b);
  return b;
}

typedef struct program {
  xrtBufferHandle code, weights, data;
  xrtRunHandle run;
} program;

static program make(const opened *o) {
  program p = {buffer(o, 0, 4096), buffer(o, 1, 4096), buffer(o, 2, 4096), NULL};
  cr_assert_eq(xrtBOWrite(p.code, kEnd, sizeof kEnd, 0), 0);
  cr_assert_eq(xrtBOSync(p.code, XCL_BO_SYNC_BO_TO_DEVICE, sizeof kEnd, 0), 0);
  p.run = xrtRunOpen(o->kernel);
  cr_assert_not_null(p.run);
  cr_assert_eq(xrtRunSetArg(p.run, 0, p.code), 0);
  cr_assert_eq(xrtRunSetArg(p.run, 1, p.weights), 0);
  cr_assert_eq(xrtRunSetArg(p.run, 2, p.data), 0);
  cr_assert_eq(xrtRunSetArg(p.run, 3, 1u), 0);
  return p;
}

static void drop(program *p) {
  cr_expect_eq(xrtRunClose(p->run), 0);
  cr_expect_eq(xrtBOFree(p->code), 0);
  cr_expect_eq(xrtBOFree(p->weights), 0);
  cr_expect_eq(xrtBOFree(p->data), 0);
}

/* XRT's own reader of the file that our writer wrote. */
Test(program, xrt_reads_the_xclbin) {
  char name[128] = "";
  int size = 0;
  xrtXclbinHandle x = xrtXclbinAllocFilename(FILE_NAME);
  cr_assert_not_null(x);
  cr_expect_eq(xrtXclbinGetXSAName(x, name, (int)sizeof name, &size), 0);
  cr_expect_eq(strncmp(name, "systole_simulated_", 18), 0, "%s", name);
  cr_expect_eq(xrtXclbinGetNumKernels(x), 1);
  cr_expect_eq(xrtXclbinGetNumKernelComputeUnits(x), 2);
  xrtXclbinFreeHandle(x);
}

Test(program, runs_and_reads_registers) {
  opened o = open_unit(0, "systole:{systole_1}", 1);
  cr_assert_not_null(o.kernel);
  uint32_t identity = 0, cycles = 0, past = 0;
  cr_expect_eq(xrtKernelReadRegister(o.kernel, 0x40, &identity), 0);
  cr_expect_eq(identity, 0x53595354);
  cr_expect_neq(xrtKernelReadRegister(o.kernel, 0x1000, &past), 0, "beyond the port");
  cr_expect_eq(xrtKernelArgOffset(o.kernel, 0), 0x10);
  cr_expect_eq(xrtKernelArgOffset(o.kernel, 3), 0x28);
  program p = make(&o);
  for (int i = 0; i < 10; i++) {
    cr_assert_eq(xrtRunStart(p.run), 0);
    cr_assert_eq(xrtRunWait(p.run), ERT_CMD_STATE_COMPLETED);
  }
  cr_expect_eq(xrtKernelReadRegister(o.kernel, 0x80, &cycles), 0);
  cr_expect_gt(cycles, 10);
  drop(&p);
  close_unit(&o);
}

static void count_call(xrtRunHandle run, enum ert_cmd_state state, void *data) {
  (void)run;
  if (state == ERT_CMD_STATE_COMPLETED) atomic_fetch_add((atomic_int *)data, 1);
}

Test(program, calls_back_when_a_run_has_ended) {
  opened o = open_unit(0, "systole", 0); /* any unit, shared */
  cr_assert_not_null(o.kernel);
  program p = make(&o);
  atomic_int calls = 0;
  cr_assert_eq(xrtRunSetCallback(p.run, ERT_CMD_STATE_COMPLETED, count_call, &calls), 0);
  for (int i = 1; i <= 20; i++) {
    cr_assert_eq(xrtRunStart(p.run), 0);
    cr_assert_eq(xrtRunWait(p.run), ERT_CMD_STATE_COMPLETED);
    /* Waiting may end just before the call. */
    for (int ms = 0; ms < 2000 && atomic_load(&calls) < i; ms++) usleep(1000);
    cr_assert_eq(atomic_load(&calls), i);
  }
  drop(&p);
  close_unit(&o);
}

/* Runs of both units under way at once, more of them than there are units. */
Test(program, many_runs_are_queued) {
  enum { RUNS = 16 };
  opened o = open_unit(0, "systole", 0);
  program p[RUNS];
  for (int i = 0; i < RUNS; i++) p[i] = make(&o);
  for (int round = 0; round < 3; round++) {
    for (int i = 0; i < RUNS; i++) cr_assert_eq(xrtRunStart(p[i].run), 0);
    for (int i = RUNS - 1; i >= 0; i--) {
      cr_assert_eq(xrtRunWaitFor(p[i].run, 20000), ERT_CMD_STATE_COMPLETED);
    }
  }
  for (int i = 0; i < RUNS; i++) drop(&p[i]);
  close_unit(&o);
}

Test(program, buffers_are_copied_on_the_card) {
  opened o = open_unit(0, "systole:{systole_1}", 1);
  uint8_t sent[8192], got[8192];
  for (size_t i = 0; i < sizeof sent; i++) sent[i] = (uint8_t)(i * 7 + i / 256);
  xrtBufferHandle from = buffer(&o, 0, sizeof sent), to = buffer(&o, 2, sizeof sent);
  cr_assert_eq(xrtBOWrite(from, sent, sizeof sent, 0), 0);
  cr_assert_eq(xrtBOSync(from, XCL_BO_SYNC_BO_TO_DEVICE, sizeof sent, 0), 0);
  cr_assert_eq(xrtBOCopy(to, from, 5000, 1000, 3000), 0);
  memset(got, 0, sizeof got);
  cr_assert_eq(xrtBOSync(to, XCL_BO_SYNC_BO_FROM_DEVICE, sizeof got, 0), 0);
  cr_assert_eq(xrtBORead(to, got, sizeof got, 0), 0);
  cr_expect_arr_eq(got + 1000, sent + 3000, 5000);
  cr_expect_eq(got[999], 0);
  cr_expect_neq(xrtBOCopy(to, from, 5000, 1000, 4000), 0, "past the end");
  cr_expect_eq(xrtBOFree(from), 0);
  cr_expect_eq(xrtBOFree(to), 0);
  close_unit(&o);
}

Test(program, sub_buffers_are_parts) {
  opened o = open_unit(0, "systole:{systole_1}", 1);
  xrtBufferHandle whole = buffer(&o, 2, 16384);
  xrtBufferHandle part = xrtBOSubAlloc(whole, 4096, 8192);
  cr_assert_not_null(part);
  cr_expect_eq(xrtBOAddress(part), xrtBOAddress(whole) + 8192);
  uint32_t sent = 0xC0FFEE, got = 0;
  cr_assert_eq(xrtBOWrite(part, &sent, sizeof sent, 100), 0);
  cr_assert_eq(xrtBOSync(part, XCL_BO_SYNC_BO_TO_DEVICE, 4096, 0), 0);
  memset(xrtBOMap(whole), 0, 16384);
  cr_assert_eq(xrtBOSync(whole, XCL_BO_SYNC_BO_FROM_DEVICE, 16384, 0), 0);
  cr_assert_eq(xrtBORead(whole, &got, sizeof got, 8292), 0);
  cr_expect_eq(got, sent);
  cr_expect_eq(xrtBOFree(part), 0);
  cr_expect_eq(xrtBOFree(whole), 0);
  close_unit(&o);
}

/* Two handles of one card: a unit that one has exclusively the other cannot open, and
 * memory that one exports the other sees. */
Test(program, handles_of_one_card_see_one_card) {
  opened a = open_unit(0, "systole:{systole_1}", 1);
  opened refused = open_unit(0, "systole:{systole_1}", 1);
  cr_expect_not_null(a.kernel);
  cr_expect_null(refused.kernel, "the unit is taken");
  close_unit(&refused);
  opened b = open_unit(0, "systole:{systole_2}", 1);
  cr_assert_not_null(b.kernel);
  xrtBufferHandle mine = buffer(&a, 2, 4096);
  uint32_t sent = 4711, *host = xrtBOMap(mine), got = 0;
  host[5] = sent;
  cr_assert_eq(xrtBOSync(mine, XCL_BO_SYNC_BO_TO_DEVICE, 4096, 0), 0);
  xclBufferExportHandle exported = xrtBOExport(mine);
  cr_assert_geq(exported, 0);
  xrtBufferHandle theirs = xrtBOImport(b.device, exported);
  cr_assert_not_null(theirs);
  cr_expect_eq(xrtBOAddress(theirs), xrtBOAddress(mine));
  host[5] = 0;
  cr_assert_eq(xrtBOSync(theirs, XCL_BO_SYNC_BO_FROM_DEVICE, 4096, 0), 0);
  cr_assert_eq(xrtBORead(theirs, &got, sizeof got, 20), 0);
  cr_expect_eq(got, sent);
  cr_expect_eq(xrtBOFree(theirs), 0);
  cr_expect_eq(xrtBOFree(mine), 0);
  close_unit(&b);
  close_unit(&a);
}

Test(program, cards_are_apart) {
  opened a = open_unit(0, "systole:{systole_1}", 1);
  opened b = open_unit(1, "systole:{systole_1}", 1);
  cr_assert_not_null(a.kernel);
  cr_assert_not_null(b.kernel, "card 1 has a unit of that name, too");
  xrtBufferHandle x = buffer(&a, 2, 4096), y = buffer(&b, 2, 4096);
  cr_expect_eq(xrtBOAddress(x), xrtBOAddress(y), "the same address on both");
  uint32_t one = 1, two = 2, got = 0;
  cr_assert_eq(xrtBOWrite(x, &one, 4, 0), 0);
  cr_assert_eq(xrtBOWrite(y, &two, 4, 0), 0);
  cr_assert_eq(xrtBOSync(x, XCL_BO_SYNC_BO_TO_DEVICE, 4, 0), 0);
  cr_assert_eq(xrtBOSync(y, XCL_BO_SYNC_BO_TO_DEVICE, 4, 0), 0);
  cr_assert_eq(xrtBOSync(x, XCL_BO_SYNC_BO_FROM_DEVICE, 4, 0), 0);
  cr_assert_eq(xrtBORead(x, &got, 4, 0), 0);
  cr_expect_eq(got, one);
  /* And data goes from one card to the other. */
  cr_assert_eq(xrtBOCopy(x, y, 4, 0, 0), 0);
  cr_assert_eq(xrtBOSync(x, XCL_BO_SYNC_BO_FROM_DEVICE, 4, 0), 0);
  cr_assert_eq(xrtBORead(x, &got, 4, 0), 0);
  cr_expect_eq(got, two);
  cr_expect_eq(xrtBOFree(x), 0);
  cr_expect_eq(xrtBOFree(y), 0);
  close_unit(&b);
  close_unit(&a);
  cr_expect_null(xrtDeviceOpen(2));
}

Test(program, bad_requests_are_refused) {
  opened o = open_unit(0, "systole:{systole_1}", 1);
  cr_expect_null(xrtPLKernelOpen(o.device, o.uuid, "vadd"));
  cr_expect_null(xrtBOAlloc(o.device, 4096, XRT_BO_FLAGS_NONE, 999), "no such bank");
  cr_expect_null(xrtBOAlloc(o.device, (size_t)20 << 30, XRT_BO_FLAGS_DEV_ONLY,
                            (uint32_t)xrtKernelArgGroupId(o.kernel, 0)),
                 "larger than the bank");
  xrtBufferHandle silent = xrtBOAlloc(o.device, 4096, XRT_BO_FLAGS_DEV_ONLY,
                                      (uint32_t)xrtKernelArgGroupId(o.kernel, 0));
  cr_expect_not_null(silent);
  cr_expect_eq(xrtBOFree(silent), 0);
  uint32_t value;
  opened shared = open_unit(1, "systole:{systole_1}", 0);
  cr_expect_neq(xrtKernelReadRegister(shared.kernel, 0x40, &value), 0,
                "registers want an exclusive unit");
  close_unit(&shared);
  close_unit(&o);
}

/* Handles are left open in an order that XRT does not expect. */
Test(program, buffers_may_outlive_the_device) {
  opened o = open_unit(0, "systole:{systole_1}", 1);
  program p = make(&o);
  cr_assert_eq(xrtRunStart(p.run), 0);
  cr_assert_eq(xrtRunWait(p.run), ERT_CMD_STATE_COMPLETED);
  cr_expect_eq(xrtDeviceClose(o.device), 0);
  drop(&p);
  cr_expect_eq(xrtKernelClose(o.kernel), 0);
  opened again = open_unit(0, "systole:{systole_1}", 1);
  cr_expect_not_null(again.kernel);
  close_unit(&again);
}

Test(program, a_file_for_a_real_card_is_refused) {
  char path[] = "/tmp/systole_xclbin_XXXXXX";
  FILE *from = fopen(FILE_NAME, "rb");
  cr_assert_not_null(from);
  char data[65536];
  const size_t bytes = fread(data, 1, sizeof data, from);
  fclose(from);
  memcpy(data + 352, "xilinx_u250_gen3x16_xdma_4_1_202210_1", 38);
  const int file = mkstemp(path);
  cr_assert_eq(write(file, data, bytes), (ssize_t)bytes);
  close(file);
  xrtDeviceHandle device = xrtDeviceOpen(0);
  cr_expect_neq(xrtDeviceLoadXclbinFile(device, path), 0);
  cr_expect_eq(xrtDeviceClose(device), 0);
  unlink(path);
}
