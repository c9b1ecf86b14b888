/* The simulated card: memory, buffers, compute units, and who has opened what. The shim
 * (shim.c) is a thin skin of XRT's functions over this.
 *
 * A board is one card of the machine; every handle that is opened on it sees the same
 * xclbin, memory and units. Functions that can fail return 0 or a negative errno, as
 * XRT's driver does, and print one sentence on standard error where a code says too
 * little.
 *
 * Boards and handles are never freed: XRT closes from destructors of its own at the end
 * of the process, and uses handles after it has closed them.
 */
#ifndef SYSTOLE_SIM_XRT_BOARD_H
#define SYSTOLE_SIM_XRT_BOARD_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct systole_board systole_board;
typedef struct systole_handle systole_handle;

enum { SYSTOLE_BOARDS = 16, SYSTOLE_NO_UNIT = -1 };

/* How many cards this machine has: SYSTOLE_SIM_CARDS in the environment, 1 ... 16; 1. */
unsigned systole_board_count(void);

/* NULL when there is no such card, or no memory. */
systole_handle *systole_handle_open(unsigned index);
void systole_handle_close(systole_handle *handle);

/* What the glue keeps for a handle: XRT's device object. */
void **systole_handle_slot(systole_handle *handle);
unsigned systole_handle_index(const systole_handle *handle);

/* NULL unless it is an open handle. */
systole_handle *systole_handle_check(void *pointer);

/* ---- xclbin --------------------------------------------------------------------------
 */

/* Loading what is loaded already does nothing. -EBUSY while units or buffers of another
 * file are in use. */
int systole_board_load(systole_handle *handle, const void *data, uint64_t bytes);

/* Name of the shell, clock, and memory of the loaded file; "" and 0 before. */
typedef struct systole_board_info {
  char platform[65];
  double clock_mhz;
  uint64_t bytes, free_bytes;
  int banks;
} systole_board_info;
void systole_board_describe(systole_handle *handle, systole_board_info *out);

/* ---- compute units -------------------------------------------------------------------
 */

/* `unit` SYSTOLE_NO_UNIT: the xclbin alone is kept from being replaced. -EBUSY: another
 * handle has the unit exclusively, or this one wants it so and others have it. */
int systole_unit_open(systole_handle *handle, const uint8_t uuid[16], int unit,
                      int exclusive);
/* Closing a unit's last context ends what this handle has running there. */
int systole_unit_close(systole_handle *handle, const uint8_t uuid[16], int unit);

int systole_register_read(systole_handle *handle, int unit, uint32_t offset,
                          uint32_t *value);
int systole_register_write(systole_handle *handle, int unit, uint32_t offset,
                           uint32_t value);

/* Unit whose control port has the absolute address `address`, and the register there. */
int systole_unit_at(systole_handle *handle, uint64_t address, uint32_t *offset);

/* ---- buffers -------------------------------------------------------------------------
 */

#define SYSTOLE_NO_BUFFER UINT32_MAX

typedef enum systole_buffer_kind {
  SYSTOLE_BUFFER_USER,    /* host memory is the caller's */
  SYSTOLE_BUFFER_MAPPED,  /* host memory is allocated when it is mapped or synced */
  SYSTOLE_BUFFER_DEVICE,  /* no host memory */
  SYSTOLE_BUFFER_COMMAND, /* host memory alone: a command for exec */
} systole_buffer_kind;

/* SYSTOLE_NO_BUFFER with errno set on failure. `bank` is an index of the xclbin's. */
uint32_t systole_buffer_alloc(systole_handle *handle, systole_buffer_kind kind,
                              void *user, uint64_t bytes, uint32_t flags);
void systole_buffer_release(systole_handle *handle, uint32_t buffer);
void *systole_buffer_map(systole_handle *handle, uint32_t buffer);
int systole_buffer_sync(systole_handle *handle, uint32_t buffer, int to_device,
                        uint64_t bytes, uint64_t offset);
int systole_buffer_copy(systole_handle *handle, uint32_t to, uint32_t from,
                        uint64_t bytes, uint64_t to_offset, uint64_t from_offset);
int systole_buffer_properties(systole_handle *handle, uint32_t buffer, uint32_t *flags,
                              uint64_t *bytes, uint64_t *address);

/* A file descriptor that stands for the buffer, also towards other cards of this process;
 * -1 with errno set on failure. */
int systole_buffer_export(systole_handle *handle, uint32_t buffer);
uint32_t systole_buffer_import(systole_handle *handle, int file);
int systole_buffer_close_export(int file);

/* Device memory by address. Bytes moved, or a negative errno. */
int64_t systole_memory_move(systole_handle *handle, int to_device, void *data,
                            uint64_t bytes, uint64_t address);

/* ---- execution -----------------------------------------------------------------------
 */

int systole_exec(systole_handle *handle, uint32_t buffer);

/* Waits until a command of this handle has ended since the last such wait. 1, or 0 after
 * `timeout_ms` (negative: for ever). */
int systole_exec_wait(systole_handle *handle, int timeout_ms);

#ifdef __cplusplus
}
#endif
#endif
