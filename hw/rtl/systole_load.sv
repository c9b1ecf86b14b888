// The load unit: LOAD instructions, device memory -> unified buffer.
//
// For each block and line: fill_before rows of the fill byte, `rows` rows from device memory
// (contiguous there), fill_after rows of the fill byte; in the last block, lanes beyond last_lanes
// become zero. The asking side runs ahead of the arriving side by up to two instructions, so that
// the memory's latency is paid once.
//
// Rate: a row a cycle while beats arrive and port B of the unified buffer is granted; fill rows
// need no beats. Reads wait on R when port B is busy. Latency from grant to the buffer: 2 cycles.
// Done: tokens are given one cycle after the last row was granted.
// Errors: a row beyond the unified buffer (detail: the row); an offset or stride that is not a
// multiple of AxiBytes (nothing is asked for).
`include "systole_assert.svh"
`default_nettype none

module systole_load #(
  parameter int Dim       = 16,
  parameter int UbRows    = 16384,
  parameter int AxiBytes  = 16,
  localparam int UbBits   = $clog2(UbRows),
  localparam int UnitBits = systole_pkg::Units,
  localparam int InstrBits = systole_pkg::InstructionBits
) (
  input  logic                  clk_i,
  input  logic                  rst_ni,
  input  logic [63:0]           base_i,       // activations pointer

  input  logic                  head_valid_i, // head of this unit's queue, its tokens present
  input  logic [InstrBits-1:0]  head_i,
  input  logic [31:0]           head_index_i, // its number
  output logic                  accept_o,
  output logic                  done_o,
  output logic [UnitBits-1:0]   give_o,

  output logic                  req_valid_o,
  input  logic                  req_ready_i,
  output logic [63:0]           req_addr_o,
  output logic [31:0]           req_beats_o,
  input  logic                  data_valid_i,
  output logic                  data_ready_o,
  input  logic [8*AxiBytes-1:0] data_i,

  // A row for port B: granted in the same cycle.
  output logic                  ub_valid_o,
  input  logic                  ub_grant_i,
  output logic [UbBits-1:0]     ub_row_o,
  output logic                  ub_fill_o,    // 1: every lane is ub_fill_byte_o
  output logic [7:0]            ub_fill_byte_o,
  output logic                  ub_cut_o,     // 1: lanes from ub_lanes_o on become zero
  output logic [8:0]            ub_lanes_o,
  output logic [8*Dim-1:0]      ub_data_o,

  output logic                  range_error_o, // one cycle
  output logic                  align_error_o, // one cycle
  output logic [31:0]           error_detail_o,
  output logic [31:0]           index_o,       // instruction whose data arrive (for error reports)
  output logic                  wake_o,        // this cycle changes something here
  output logic                  busy_o
);
  localparam int AxiShift = $clog2(AxiBytes);

  // ---- asking ------------------------------------------------------------------------------
  logic        ask_q;
  logic [63:0] line_addr_q;
  logic [63:0] block_addr_q;
  logic [63:0] line_stride_q;
  logic [63:0] block_stride_q;
  logic [15:0] rows_q;
  logic [15:0] lines_q;
  logic [15:0] lines_left_q;
  logic [15:0] blocks_left_q;
  logic        misaligned;
  logic        step;
  logic        jobs_full;

  assign misaligned =
      head_i[systole_pkg::CopyOffsetLsb +: AxiShift] != '0 ||
      head_i[systole_pkg::CopyMemLineStrideLsb +: AxiShift] != '0 ||
      head_i[systole_pkg::CopyMemBlockStrideLsb +: AxiShift] != '0;
  assign accept_o    = head_valid_i && !ask_q && !jobs_full;
  assign req_valid_o = ask_q && rows_q != 16'd0;
  assign req_addr_o  = line_addr_q;
  assign req_beats_o = 32'((32'(rows_q) * Dim + AxiBytes - 1) >> AxiShift);
  assign step        = ask_q && (req_ready_i || rows_q == 16'd0);

  always_ff @(posedge clk_i) begin
    align_error_o <= 1'b0;
    if (accept_o) begin
      ask_q          <= !misaligned;
      align_error_o  <= misaligned;
      line_addr_q    <= base_i + 64'(head_i[systole_pkg::CopyOffsetLsb +: systole_pkg::CopyOffsetBits]);
      block_addr_q   <= base_i + 64'(head_i[systole_pkg::CopyOffsetLsb +: systole_pkg::CopyOffsetBits]);
      line_stride_q  <= 64'($signed(head_i[systole_pkg::CopyMemLineStrideLsb +: systole_pkg::CopyMemLineStrideBits]));
      block_stride_q <= 64'($signed(head_i[systole_pkg::CopyMemBlockStrideLsb +: systole_pkg::CopyMemBlockStrideBits]));
      rows_q         <= head_i[systole_pkg::CopyRowsLsb +: systole_pkg::CopyRowsBits];
      lines_q        <= head_i[systole_pkg::CopyLinesLsb +: systole_pkg::CopyLinesBits];
      lines_left_q   <= head_i[systole_pkg::CopyLinesLsb +: systole_pkg::CopyLinesBits];
      blocks_left_q  <= head_i[systole_pkg::CopyBlocksLsb +: systole_pkg::CopyBlocksBits];
    end
    if (step) begin
      if (lines_left_q != 16'd1) begin
        lines_left_q <= lines_left_q - 16'd1;
        line_addr_q  <= line_addr_q + line_stride_q;
      end else begin
        lines_left_q  <= lines_q;
        blocks_left_q <= blocks_left_q - 16'd1;
        block_addr_q  <= block_addr_q + block_stride_q;
        line_addr_q   <= block_addr_q + block_stride_q;
        if (blocks_left_q == 16'd1) ask_q <= 1'b0;
      end
    end
    if (!rst_ni) begin
      ask_q         <= 1'b0;
      align_error_o <= 1'b0;
    end
  end

  // ---- arriving ----------------------------------------------------------------------------
  // What the arriving side needs of an instruction.
  localparam int JobBits = 32 + UnitBits + 24 + 5 * 16 + 8 + 2 * 24 + 9;
  logic [JobBits-1:0]  job;
  logic                job_valid;
  logic                job_pop;
  logic [31:0]         job_index;
  logic [UnitBits-1:0] job_give;
  logic [23:0]         job_ub_row;
  logic [15:0]         job_rows;
  logic [15:0]         job_lines;
  logic [15:0]         job_blocks;
  logic [15:0]         job_before;
  logic [15:0]         job_after;
  logic [7:0]          job_fill;
  logic [23:0]         job_line_stride;
  logic [23:0]         job_block_stride;
  logic [8:0]          job_lanes;

  systole_queue #(.Width(JobBits), .Depth(2)) u_jobs (
    .clk_i, .rst_ni,
    .push_i(accept_o && !misaligned), .full_o(jobs_full),
    .data_i({head_index_i, head_i[systole_pkg::GiveLsb +: UnitBits],
             head_i[systole_pkg::CopyUbRowLsb +: systole_pkg::CopyUbRowBits],
             head_i[systole_pkg::CopyRowsLsb +: systole_pkg::CopyRowsBits],
             head_i[systole_pkg::CopyLinesLsb +: systole_pkg::CopyLinesBits],
             head_i[systole_pkg::CopyBlocksLsb +: systole_pkg::CopyBlocksBits],
             head_i[systole_pkg::CopyFillBeforeLsb +: systole_pkg::CopyFillBeforeBits],
             head_i[systole_pkg::CopyFillAfterLsb +: systole_pkg::CopyFillAfterBits],
             head_i[systole_pkg::CopyFillByteLsb +: systole_pkg::CopyFillByteBits],
             head_i[systole_pkg::CopyUbLineStrideLsb +: systole_pkg::CopyUbLineStrideBits],
             head_i[systole_pkg::CopyUbBlockStrideLsb +: systole_pkg::CopyUbBlockStrideBits],
             head_i[systole_pkg::CopyLastLanesLsb +: systole_pkg::CopyLastLanesBits]}),
    .pop_i(job_pop), .valid_o(job_valid), .head_o(job));
  assign {job_index, job_give, job_ub_row, job_rows, job_lines, job_blocks, job_before, job_after, job_fill,
          job_line_stride, job_block_stride, job_lanes} = job;

  // The job at work. A line has up to three parts: fill rows, rows from memory, fill rows. What is
  // compared with 1 or with a bound is compared when it is written, so that a row's way to the
  // buffer is short.
  logic                run_q;
  logic [31:0]         index_q;        // of the last row that was written or refused
  logic                has_before_q, has_rows_q, has_after_q, lines_one_q; // of the job
  logic                is_data_q;      // this part comes from memory
  logic                part_last_q;    // this part is the last of its line
  logic [15:0]         left_q;         // rows of the part left
  logic                left_one_q;
  logic [15:0]         line_q;         // lines left
  logic                line_one_q;
  logic [15:0]         block_q;        // blocks left
  logic                block_one_q;
  logic [23:0]         row_q;
  logic                bad_q;          // row_q is beyond the buffer
  logic [23:0]         line_row_q;
  logic [23:0]         block_row_q;
  logic                cut_q;          // the last block has fewer lanes
  logic                row_valid;
  logic                row_ready;
  logic                emit;
  logic                last_row;
  logic                begin_job;
  logic                enter;          // a line begins
  logic                enter_before, enter_rows;
  logic [15:0]         enter_left;
  logic [23:0]         next_row;
  logic [15:0]         next_left;

  function automatic logic beyond(input logic [23:0] row);
    beyond = 32'(row) >= UbRows;
  endfunction

  assign ub_valid_o = run_q && (!is_data_q || row_valid) && !bad_q;
  assign emit       = ub_valid_o && ub_grant_i;
  assign row_ready  = run_q && is_data_q && ub_grant_i && !bad_q;
  assign last_row   = left_one_q && part_last_q && line_one_q && block_one_q;
  assign begin_job  = job_valid && !run_q;
  assign job_pop    = emit && last_row;

  assign ub_row_o       = row_q[UbBits-1:0];
  assign ub_fill_o      = !is_data_q;
  assign ub_fill_byte_o = job_fill;
  assign ub_cut_o       = block_one_q && cut_q;
  assign ub_lanes_o     = job_lanes;

  systole_beats_to_rows #(.Dim(Dim), .AxiBytes(AxiBytes)) u_rows (
    .clk_i, .rst_ni,
    .beat_valid_i(data_valid_i), .beat_ready_o(data_ready_o), .beat_i(data_i),
    .row_valid_o(row_valid), .row_ready_i(row_ready),
    .row_last_i(left_one_q), .row_o(ub_data_o));

  always_ff @(posedge clk_i) begin : p_rows
    done_o        <= 1'b0;
    range_error_o <= 1'b0;
    if (run_q && bad_q) begin
      range_error_o  <= 1'b1;
      error_detail_o <= 32'(row_q);
    end
    if (job_valid) index_q <= job_index;
    if (accept_o && misaligned) index_q <= head_index_i;
    enter        = begin_job;
    enter_before = begin_job ? job_before != 16'd0 : has_before_q;
    enter_rows   = begin_job ? job_rows != 16'd0 : has_rows_q;
    if (emit) begin
      next_row   = row_q + 24'd1;
      next_left  = left_q - 16'd1;
      left_one_q <= left_q == 16'd2;
      if (left_one_q) begin
        if (!part_last_q) begin
          // The next part.
          is_data_q   <= !is_data_q && has_rows_q;
          part_last_q <= is_data_q || !has_rows_q || !has_after_q;
          next_left   = (!is_data_q && has_rows_q) ? job_rows : job_after;
          left_one_q  <= next_left == 16'd1;
        end else begin
          enter = 1'b1;
          if (!line_one_q) begin
            line_q     <= line_q - 16'd1;
            line_one_q <= line_q == 16'd2;
            next_row   = line_row_q + job_line_stride;
          end else begin
            line_q      <= job_lines;
            line_one_q  <= lines_one_q;
            block_q     <= block_q - 16'd1;
            block_one_q <= block_q == 16'd2;
            next_row    = block_row_q + job_block_stride;
            block_row_q <= next_row;
            if (block_one_q) begin
              run_q  <= 1'b0;
              done_o <= 1'b1;
              give_o <= job_give;
            end
          end
          line_row_q <= next_row;
        end
      end
      left_q <= next_left;
      row_q  <= next_row;
      bad_q  <= beyond(next_row);
    end
    if (enter) begin
      enter_left  = enter_before ? job_before : enter_rows ? job_rows : job_after;
      left_q      <= enter_left;
      left_one_q  <= enter_left == 16'd1;
      is_data_q   <= !enter_before && enter_rows;
      part_last_q <= (begin_job ? job_after == 16'd0 : !has_after_q) ? !enter_before || !enter_rows
                                                                       : !enter_before && !enter_rows;
    end
    if (begin_job) begin
      run_q        <= 1'b1;
      has_before_q <= job_before != 16'd0;
      has_rows_q   <= job_rows != 16'd0;
      has_after_q  <= job_after != 16'd0;
      lines_one_q  <= job_lines == 16'd1;
      line_q       <= job_lines;
      line_one_q   <= job_lines == 16'd1;
      block_q      <= job_blocks;
      block_one_q  <= job_blocks == 16'd1;
      row_q        <= job_ub_row;
      bad_q        <= beyond(job_ub_row);
      line_row_q   <= job_ub_row;
      block_row_q  <= job_ub_row;
      cut_q        <= job_lanes != 9'd0;
    end
    if (!rst_ni) begin
      run_q         <= 1'b0;
      done_o        <= 1'b0;
      range_error_o <= 1'b0;
    end
  end

  assign index_o = index_q;
  assign wake_o = accept_o || ask_q || (job_valid && (!run_q || !is_data_q || bad_q)) || data_valid_i ||
                  done_o || range_error_o || align_error_o;
  assign busy_o = ask_q || job_valid || done_o;

  initial begin
    if (AxiBytes < 4 || AxiBytes > 2 * Dim || AxiBytes > 64) $fatal(1, "systole_load: AxiBytes must be 4 ... 64 and at most 2 Dim");
    if (2**UbBits != UbRows) $fatal(1, "systole_load: UbRows must be a power of two");
  end
endmodule

`default_nettype wire
