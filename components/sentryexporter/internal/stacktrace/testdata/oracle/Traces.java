// Copyright The otelcol-dify Authors
// SPDX-License-Identifier: Apache-2.0
package com.example.plugin;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** Prints texts as Java writes them, with what Throwable itself says: javac -d /tmp/t Traces.java, java -cp /tmp/t com.example.plugin.Traces > java.jsonl */
public class Traces {
    static class PluginException extends RuntimeException {
        PluginException(String message, Throwable cause) {
            super(message, cause);
        }
    }

    static class Resource implements AutoCloseable {
        @Override
        public void close() {
            throw new IllegalStateException("close failed");
        }
    }

    static void nothing() {
        Object none = null;
        none.toString();
    }

    static void wrapped() {
        try {
            nothing();
        } catch (Exception e) {
            throw new PluginException("wrapped:\nsecond line\n  at the end (really)", e);
        }
    }

    static void wrappedAgain() {
        try {
            wrapped();
        } catch (Exception e) {
            throw new RuntimeException(e);
        }
    }

    static void suppressed() {
        try (Resource one = new Resource(); Resource two = new Resource()) {
            wrapped();
        }
    }

    static void suppressedWithCause() {
        RuntimeException e = new RuntimeException("outer");
        try {
            wrapped();
        } catch (Exception inner) {
            e.addSuppressed(inner);
        }
        throw e;
    }

    static void lambda() {
        List.of(1, 2).forEach(n -> {
            throw new IllegalArgumentException("n=" + n);
        });
    }

    static void reflection() {
        try {
            Traces.class.getDeclaredMethod("nothing").invoke(null);
        } catch (Exception e) {
            throw new RuntimeException("reflection", e);
        }
    }

    static void noClass() {
        try {
            Class.forName("no.Such");
        } catch (Exception e) {
            throw new RuntimeException(e);
        }
    }

    static void noMessage() {
        throw new StackOverflowError();
    }

    static void future() {
        CompletableFuture.supplyAsync(() -> {
            nothing();
            return 1;
        }).join();
    }

    static void deep(int n) {
        if (n == 0) throw new UnsupportedOperationException("deep");
        deep(n - 1);
    }

    static String quote(String s) {
        return '"' + s.replace("\\", "\\\\").replace("\"", "\\\"").replace("\n", "\\n").replace("\t", "\\t") + '"';
    }

    static String describe(Throwable t) {
        StringBuilder frames = new StringBuilder();
        for (StackTraceElement f : t.getStackTrace()) {
            String file = f.getFileName() == null ? "" : f.isNativeMethod() ? "" : f.getFileName();
            String frame = "{\"file\":" + quote(file) + ",\"line\":" + Math.max(f.getLineNumber(), 0)
                    + ",\"function\":" + quote(f.getMethodName()) + ",\"module\":" + quote(f.getClassName()) + "}";
            frames.insert(0, frame + (frames.length() > 0 ? "," : ""));
        }
        StringBuilder suppressed = new StringBuilder();
        for (Throwable s : t.getSuppressed()) {
            suppressed.append(suppressed.length() > 0 ? "," : "").append(describe(s));
        }
        return "{\"type\":" + quote(t.getClass().getName()) + ",\"final\":" + quote(t.toString()) + ",\"frames\":[" + frames + "]"
                + ",\"suppressed\":[" + suppressed + "]"
                + (t.getCause() == null ? "" : ",\"relation\":\"cause\",\"cause\":" + describe(t.getCause())) + "}";
    }

    static void record(String name, Runnable f) {
        try {
            f.run();
        } catch (Throwable t) {
            StringWriter text = new StringWriter();
            t.printStackTrace(new PrintWriter(text));
            System.out.println("{\"name\":" + quote(name) + ",\"text\":" + quote(text.toString()) + ",\"want\":" + describe(t) + "}");
        }
    }

    public static void main(String[] args) {
        record("null pointer", Traces::nothing);
        record("cause", Traces::wrapped);
        record("cause of a cause", Traces::wrappedAgain);
        record("suppressed", Traces::suppressed);
        record("suppressed with a cause", Traces::suppressedWithCause);
        record("lambda", Traces::lambda);
        record("reflection", Traces::reflection);
        record("class loader", Traces::noClass);
        record("no message", Traces::noMessage);
        record("future", Traces::future);
        record("recursion", () -> deep(20));
    }
}
