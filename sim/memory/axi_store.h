/* Simulated device memory: the bytes behind one AXI port and who uses which of them.
 *
 * The bytes are an anonymous mapping that the kernel commits page by page when they are
 * first written, so gigabytes of device memory cost nothing until they are used.
 * Addresses start at `base`, which is never 0: a kernel that forgets to add a base
 * pointer reads out of range and is answered DECERR instead of reading somebody's buffer.
 */
#ifndef SYSTOLE_AXI_STORE_H
#define SYSTOLE_AXI_STORE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SYSTOLE_AXI_STORE_ALIGN 4096u /* of every block; also the unit of allocation */

/* Read by the inlined port code; changed only by axi_store.c. */
typedef struct systole_axi_store {
  uint8_t *data;  /* `bytes` bytes; the byte at address base + i is data[i] */
  uint64_t base;  /* first device address */
  uint64_t bytes; /* a multiple of SYSTOLE_AXI_STORE_ALIGN */
  struct systole_axi_segment *segments; /* used and free, in order of address, gap-free */
} systole_axi_store;

/* `bytes` is rounded up to SYSTOLE_AXI_STORE_ALIGN and must not be 0. NULL with errno set
 * when this machine refuses the address space. */
systole_axi_store *systole_axi_store_create(uint64_t base, uint64_t bytes);

/* Accepts NULL. */
void systole_axi_store_free(systole_axi_store *store);

/* Address of `bytes` bytes, aligned to SYSTOLE_AXI_STORE_ALIGN, first fit; 0 when no gap
 * is long enough or this machine is out of memory. bytes = 0 gets an address of its own
 * too. */
uint64_t systole_axi_store_alloc(systole_axi_store *store, uint64_t bytes);

/* The same, within the addresses first ... end - 1 (a bank of the memory); what lies
 * outside the store is left out. */
uint64_t systole_axi_store_alloc_in(systole_axi_store *store, uint64_t bytes,
                                    uint64_t first, uint64_t end);

/* Gives a block back and joins it with free neighbours. Large blocks are returned to the
 * operating system, so their contents are lost. 0 on success, -1 if `address` is not the
 * start of a used block (nothing happens). */
int systole_axi_store_release(systole_axi_store *store, uint64_t address);

/* Bytes in use, and the longest block that could be allocated now. */
void systole_axi_store_usage(const systole_axi_store *store, uint64_t *used,
                             uint64_t *longest);

/* Where `bytes` bytes at device address `address` lie on the host, NULL if any of them is
 * outside the memory. */
static inline uint8_t *systole_axi_store_at(const systole_axi_store *store,
                                            uint64_t address, uint64_t bytes) {
  const uint64_t offset = address - store->base; /* wraps to a huge number below base */
  return bytes <= store->bytes && offset <= store->bytes - bytes ? store->data + offset
                                                                 : NULL;
}

#ifdef __cplusplus
}
#endif
#endif
