/* What changed between oneDNN 2 and 3, behind one set of names. For .c files that include
 * dnnl.h. */
#ifndef SYSTOLE_CPU_ONEDNN_DESC_H
#define SYSTOLE_CPU_ONEDNN_DESC_H

#include <dnnl.h>

#if DNNL_VERSION_MAJOR >= 3
typedef dnnl_memory_desc_t memory_desc;
typedef const_dnnl_memory_desc_t borrowed_desc;
#define BORROW(desc) (desc)
static inline void free_desc(memory_desc *desc) {
  if (*desc != NULL) dnnl_memory_desc_destroy(*desc);
}
static inline dnnl_status_t make_desc(memory_desc *out, int count, const dnnl_dims_t dims,
                                      dnnl_data_type_t type, const dnnl_dims_t strides) {
  return strides != NULL
             ? dnnl_memory_desc_create_with_strides(out, count, dims, type, strides)
             : dnnl_memory_desc_create_with_tag(out, count, dims, type,
                                                dnnl_format_tag_any);
}
#else
typedef dnnl_memory_desc_t memory_desc;
typedef const dnnl_memory_desc_t *borrowed_desc;
#define BORROW(desc) (&(desc))
static inline void free_desc(memory_desc *desc) { (void)desc; }
static inline dnnl_status_t make_desc(memory_desc *out, int count, const dnnl_dims_t dims,
                                      dnnl_data_type_t type, const dnnl_dims_t strides) {
  return strides != NULL
             ? dnnl_memory_desc_init_by_strides(out, count, dims, type, strides)
             : dnnl_memory_desc_init_by_tag(out, count, dims, type, dnnl_format_tag_any);
}
#endif

static inline dnnl_status_t make_reorder(dnnl_primitive_desc_t *desc,
                                         dnnl_primitive_t *out, borrowed_desc from,
                                         borrowed_desc to, dnnl_engine_t engine) {
  dnnl_status_t s =
      dnnl_reorder_primitive_desc_create(desc, from, engine, to, engine, NULL);
  return s == dnnl_success ? dnnl_primitive_create(out, *desc) : s;
}

static inline dnnl_status_t move(dnnl_primitive_t reorder, dnnl_stream_t stream,
                                 dnnl_memory_t from, dnnl_memory_t to) {
  const dnnl_exec_arg_t arguments[] = {{DNNL_ARG_FROM, from}, {DNNL_ARG_TO, to}};
  return dnnl_primitive_execute(reorder, stream, 2, arguments);
}

#endif
