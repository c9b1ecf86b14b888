// Port B of the unified buffer: who may use it, and the register in front of it.
//
// Priority: store reads, then residual reads, activation writes, load writes. A grant comes in the
// cycle of the request. Timing: granted in t, at the buffer in t + 1; read data are valid in t + 2
// (store_data_o, residual_data_o say whose they are).
// Nothing wide moves without a grant.
`default_nettype none

module systole_ub_port #(
  parameter int Dim    = 16,
  parameter int UbRows = 16384,
  localparam int UbBits = $clog2(UbRows)
) (
  input  logic              clk_i,
  input  logic              rst_ni,

  input  logic              store_valid_i,
  output logic              store_grant_o,
  input  logic [UbBits-1:0] store_row_i,
  output logic              store_data_o,    // the buffer's read data belong to the store unit

  input  logic              residual_valid_i,
  output logic              residual_grant_o,
  input  logic [UbBits-1:0] residual_row_i,
  output logic              residual_data_o, // the buffer's read data are a residual

  input  logic              activate_valid_i,
  output logic              activate_grant_o,
  input  logic [UbBits-1:0] activate_row_i,
  input  logic [8*Dim-1:0]  activate_data_i,

  input  logic              load_valid_i,
  output logic              load_grant_o,
  input  logic [UbBits-1:0] load_row_i,
  input  logic              load_fill_i,
  input  logic [7:0]        load_fill_byte_i,
  input  logic              load_cut_i,
  input  logic [8:0]        load_lanes_i,
  input  logic [8*Dim-1:0]  load_data_i,

  output logic              wake_o,          // this cycle changes something here
  output logic              ub_enable_o,
  output logic              ub_write_o,
  output logic [UbBits-1:0] ub_row_o,
  output logic [8*Dim-1:0]  ub_data_o
);
  logic             read;
  logic             write;
  logic             store_q;
  logic             residual_q;
  logic [8*Dim-1:0] row;

  assign store_grant_o    = store_valid_i;
  assign residual_grant_o = residual_valid_i && !store_valid_i;
  assign read             = store_valid_i || residual_valid_i;
  assign activate_grant_o = activate_valid_i && !read;
  assign load_grant_o     = load_valid_i && !read && !activate_valid_i;
  assign wake_o = read || write || ub_enable_o || store_q || residual_q || store_data_o || residual_data_o;
  assign write            = activate_grant_o || load_grant_o;

  always_ff @(posedge clk_i) begin
    ub_enable_o     <= read || write;
    ub_write_o      <= write;
    store_q         <= store_grant_o;
    residual_q      <= residual_grant_o;
    store_data_o    <= store_q;
    residual_data_o <= residual_q;
    if (store_grant_o) ub_row_o <= store_row_i;
    if (residual_grant_o) ub_row_o <= residual_row_i;
    if (activate_grant_o) begin
      ub_row_o  <= activate_row_i;
      ub_data_o <= activate_data_i;
    end
    if (load_grant_o) begin
      ub_row_o <= load_row_i;
      row = load_fill_i ? {Dim{load_fill_byte_i}} : load_data_i;
      if (load_cut_i) begin
        for (int unsigned i = 0; i < Dim; i++)
          row[8*i +: 8] = (i < 32'(load_lanes_i)) ? row[8*i +: 8] : 8'd0;
      end
      ub_data_o <= row;
    end
    if (!rst_ni) begin
      ub_enable_o     <= 1'b0;
      store_q         <= 1'b0;
      residual_q      <= 1'b0;
      store_data_o    <= 1'b0;
      residual_data_o <= 1'b0;
    end
  end
endmodule

`default_nettype wire
