/* onnx_fields.h - the numbers of the fields of onnx.proto (IR version 8) that are written and read,
 * and the wire types of protocol buffers. */
#ifndef ANNEAL_ENGINE_EXPORT_ONNX_FIELDS_H
#define ANNEAL_ENGINE_EXPORT_ONNX_FIELDS_H

enum wire { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_32 = 5 };

enum {
    MODEL_IR_VERSION = 1,
    MODEL_PRODUCER = 2,
    MODEL_PRODUCER_VERSION = 3,
    MODEL_GRAPH = 7,
    MODEL_OPSET = 8,
    MODEL_META = 14,

    OPSET_DOMAIN = 1,
    OPSET_VERSION = 2,

    ENTRY_KEY = 1,
    ENTRY_VALUE = 2,

    GRAPH_NODE = 1,
    GRAPH_NAME = 2,
    GRAPH_INITIALIZER = 5,
    GRAPH_INPUT = 11,
    GRAPH_OUTPUT = 12,

    NODE_INPUT = 1,
    NODE_OUTPUT = 2,
    NODE_NAME = 3,
    NODE_OP = 4,
    NODE_ATTRIBUTE = 5,
    NODE_DOMAIN = 7,

    ATTRIBUTE_NAME = 1,
    ATTRIBUTE_FLOAT = 2,
    ATTRIBUTE_INT = 3,
    ATTRIBUTE_TEXT = 4,
    ATTRIBUTE_INTS = 8,
    ATTRIBUTE_TYPE = 20,

    TENSOR_DIM = 1,
    TENSOR_TYPE = 2,
    TENSOR_FLOATS = 4,
    TENSOR_INTS = 7,
    TENSOR_NAME = 8,
    TENSOR_RAW = 9,

    VALUE_NAME = 1,
    VALUE_TYPE = 2,
    TYPE_TENSOR = 1,
    TENSOR_TYPE_ELEMENT = 1,
    TENSOR_TYPE_SHAPE = 2,
    SHAPE_DIM = 1,
    DIM_VALUE = 1,
    DIM_NAME = 2,
};
enum { ATTRIBUTE_IS_FLOAT = 1, ATTRIBUTE_IS_INT = 2, ATTRIBUTE_IS_TEXT = 3, ATTRIBUTE_IS_INTS = 7 };
enum { ELEMENT_FLOAT = 1, ELEMENT_INT64 = 7 };

#endif
