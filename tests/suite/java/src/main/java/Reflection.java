import com.google.protobuf.ByteString;
import com.google.protobuf.DescriptorProtos.FileDescriptorProto;
import com.google.protobuf.Descriptors.FileDescriptor;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.reflection.v1.ServerReflectionGrpc;
import io.grpc.reflection.v1.ServerReflectionRequest;
import io.grpc.reflection.v1.ServerReflectionResponse;
import io.grpc.stub.MetadataUtils;
import io.grpc.stub.StreamObserver;
import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

/**
 * Everything that reflection has, asked by grpc-java and resolved by protobuf-java, which checks every reference.
 *
 * <p>Arguments: the gateway's address, an API key that may do everything. Prints how many services, methods, messages and
 * comments of messages there are.
 */
public final class Reflection implements StreamObserver<ServerReflectionResponse> {
    private final LinkedBlockingQueue<Object> answers = new LinkedBlockingQueue<>();
    private final Map<String, FileDescriptor> files = new HashMap<>();
    private StreamObserver<ServerReflectionRequest> questions;

    public static void main(String[] arguments) throws Exception {
        var channel = ManagedChannelBuilder.forTarget(arguments[0]).usePlaintext().build();
        var key = new Metadata();
        key.put(Metadata.Key.of("x-api-key", Metadata.ASCII_STRING_MARSHALLER), arguments[1]);
        var reflection = new Reflection();
        reflection.questions = ServerReflectionGrpc.newStub(channel)
            .withInterceptors(MetadataUtils.newAttachHeadersInterceptor(key))
            .serverReflectionInfo(reflection);
        reflection.learn();
        reflection.questions.onCompleted();
        channel.shutdown().awaitTermination(5, TimeUnit.SECONDS);
    }

    private void learn() throws Exception {
        var list = ask(ServerReflectionRequest.newBuilder().setListServices("").build()).getListServicesResponse();
        for (var service : list.getServiceList()) {
            containing(service.getName());
        }
        var info = containing("google.rpc.ErrorInfo");
        if (!info.getName().equals("google/rpc/error_details.proto")) throw new AssertionError(info.getName());
        int services = 0, methods = 0, messages = 0, comments = 0;
        for (var file : files.values()) {
            if (!file.getPackage().startsWith("ispbridge.")) continue;
            services += file.getServices().size();
            for (var service : file.getServices()) methods += service.getMethods().size();
            messages += file.getMessageTypes().size();
            for (var location : file.toProto().getSourceCodeInfo().getLocationList()) {
                boolean ofMessage = location.getPathCount() == 2 && location.getPath(0) == FileDescriptorProto.MESSAGE_TYPE_FIELD_NUMBER;
                if (ofMessage && !location.getLeadingComments().isBlank()) comments++;
            }
        }
        System.out.println(services + " " + methods + " " + messages + " " + comments);
    }

    private FileDescriptor containing(String symbol) throws Exception {
        return built(ServerReflectionRequest.newBuilder().setFileContainingSymbol(symbol).build());
    }

    private FileDescriptor built(ServerReflectionRequest question) throws Exception {
        ByteString encoded = ask(question).getFileDescriptorResponse().getFileDescriptorProto(0);
        var proto = FileDescriptorProto.parseFrom(encoded);
        var imported = new FileDescriptor[proto.getDependencyCount()];
        for (int at = 0; at < imported.length; at++) {
            String name = proto.getDependency(at);
            if (!files.containsKey(name)) built(ServerReflectionRequest.newBuilder().setFileByFilename(name).build());
            imported[at] = files.get(name);
        }
        var file = FileDescriptor.buildFrom(proto, imported);
        files.put(file.getName(), file);
        return file;
    }

    private ServerReflectionResponse ask(ServerReflectionRequest question) throws Exception {
        questions.onNext(question);
        Object answer = answers.poll(20, TimeUnit.SECONDS);
        if (answer instanceof ServerReflectionResponse response && !response.hasErrorResponse()) return response;
        throw new AssertionError(question + " got " + answer);
    }

    @Override
    public void onNext(ServerReflectionResponse answer) {
        answers.add(answer);
    }

    @Override
    public void onError(Throwable error) {
        answers.add(error);
    }

    @Override
    public void onCompleted() {}
}
